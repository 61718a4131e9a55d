/* Integer arithmetic on LANES events side by side.
 *
 * `v` holds one 32-bit number of each event, `w` one 64-bit number of each: its even and odd lanes separate, because
 * that is how x86 multiplies 32 by 32 bits. Everything is written in GCC's vector extensions, so that any processor can
 * run it; intrinsics stand where a compiler does not find the one instruction by itself.
 */
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the kernels are written for little-endian processors"
#endif

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define LANES 16
#elif defined(__AVX2__)
#define LANES 8
#else
#define LANES 4
#endif
#define BYTES (4 * LANES)
#define INLINE static inline __attribute__((always_inline))
#define KERNEL static __attribute__((noinline)) void
#define UNROLL _Pragma("GCC unroll 32")
#define IN_PAIRS _Pragma("GCC unroll 2") /* saves copies of registers between two rounds of a short loop */

typedef int32_t v __attribute__((vector_size(BYTES), may_alias));
typedef uint32_t u __attribute__((vector_size(BYTES), may_alias));
typedef int64_t q __attribute__((vector_size(BYTES), may_alias));
typedef double d __attribute__((vector_size(BYTES), may_alias));
typedef struct {
    q even, odd;
} w;

/* One step of a program: which kernel, its sizes, its tables and its scalars. */
struct step {
    int64_t kernel;
    const int64_t *size;
    const void *const *table;
    const int64_t *scalar;
};

/* Where events come from and where results go; `live` lanes hold events, the others repeat the first of them. */
struct stream {
    const void *const *in;
    void *const *out;
    int64_t event, live, bad, *count;
    v mask;
};

INLINE v splat(int32_t x) { return (v){0} + x; }
INLINE q splat64(int64_t x) { return (q){0} + x; }

/* 32 bits */
#if LANES == 16
INLINE v v_min(v a, v b) { return (v)_mm512_min_epi32((__m512i)a, (__m512i)b); }
INLINE v v_max(v a, v b) { return (v)_mm512_max_epi32((__m512i)a, (__m512i)b); }
#elif LANES == 8
INLINE v v_min(v a, v b) { return (v)_mm256_min_epi32((__m256i)a, (__m256i)b); }
INLINE v v_max(v a, v b) { return (v)_mm256_max_epi32((__m256i)a, (__m256i)b); }
#else
INLINE v v_min(v a, v b) { v m = a < b; return (a & m) | (b & ~m); }
INLINE v v_max(v a, v b) { v m = a > b; return (a & m) | (b & ~m); }
#endif
INLINE v v_add(v a, v b) { return a + b; }
INLINE v v_sub(v a, v b) { return a - b; }
INLINE v v_mul(v a, v b) { return a * b; }
INLINE v v_and(v a, v b) { return a & b; }
INLINE v v_or(v a, v b) { return a | b; }
INLINE v v_shl(v a, v n) { return (v)((u)a << (u)n); }
INLINE v v_sar(v a, v n) { return a >> n; }
INLINE v v_sign(v a) { return a >> 31; }
INLINE v v_above(v a, v b) { return a > b; }
INLINE v v_pick(v m, v a, v b) { return (a & m) | (b & ~m); }
INLINE v v_drop(v a, v m) { return a & ~m; }
INLINE v v_same(v a, v b) { return a == b; }

/* 64 bits */
#if LANES == 16
INLINE q q_min(q a, q b) { return (q)_mm512_min_epi64((__m512i)a, (__m512i)b); }
INLINE q q_max(q a, q b) { return (q)_mm512_max_epi64((__m512i)a, (__m512i)b); }
INLINE q q_mul32(q a, q b) { return (q)_mm512_mul_epi32((__m512i)a, (__m512i)b); }
INLINE v narrow(w a) { return (v)_mm512_mask_blend_epi32(0xaaaa, (__m512i)a.even, (__m512i)(a.odd << 32)); }
#else
INLINE q q_min(q a, q b) { q m = a < b; return (a & m) | (b & ~m); }
INLINE q q_max(q a, q b) { q m = a > b; return (a & m) | (b & ~m); }
#if LANES == 8
INLINE q q_mul32(q a, q b) { return (q)_mm256_mul_epi32((__m256i)a, (__m256i)b); }
INLINE v narrow(w a) { return (v)_mm256_blend_epi32((__m256i)a.even, (__m256i)(a.odd << 32), 0xaa); }
#else
INLINE q q_mul32(q a, q b) { return ((a << 32) >> 32) * ((b << 32) >> 32); }
INLINE v narrow(w a) { return (v)((a.even & 0xffffffffll) | (a.odd << 32)); }
#endif
#endif
INLINE w widen(v a) { return (w){((q)a << 32) >> 32, (q)a >> 32}; }
INLINE w w_of(q a) { return (w){a, a}; }
INLINE w w_min(w a, w b) { return (w){q_min(a.even, b.even), q_min(a.odd, b.odd)}; }
INLINE w w_max(w a, w b) { return (w){q_max(a.even, b.even), q_max(a.odd, b.odd)}; }
INLINE w w_add(w a, w b) { return (w){a.even + b.even, a.odd + b.odd}; }
INLINE w w_sub(w a, w b) { return (w){a.even - b.even, a.odd - b.odd}; }
INLINE w w_mul(w a, w b) { return (w){a.even * b.even, a.odd * b.odd}; }
INLINE w w_and(w a, w b) { return (w){a.even & b.even, a.odd & b.odd}; }
INLINE w w_or(w a, w b) { return (w){a.even | b.even, a.odd | b.odd}; }
INLINE w w_shl(w a, w n) { return (w){a.even << n.even, a.odd << n.odd}; }
INLINE w w_sar(w a, w n) { return (w){a.even >> n.even, a.odd >> n.odd}; }
INLINE w w_sign(w a) { return (w){a.even >> 63, a.odd >> 63}; }
INLINE w w_above(w a, w b) { return (w){a.even > b.even, a.odd > b.odd}; }
INLINE w w_pick(w m, w a, w b) { return (w){(a.even & m.even) | (b.even & ~m.even), (a.odd & m.odd) | (b.odd & ~m.odd)}; }
INLINE w w_drop(w a, w m) { return (w){a.even & ~m.even, a.odd & ~m.odd}; }
INLINE w w_same(w a, w b) { return (w){a.even == b.even, a.odd == b.odd}; }
/* 32 by 32 bits, all 64 of the product */
INLINE w product(v a, v b) { return (w){q_mul32((q)a, (q)b), q_mul32((q)a >> 32, (q)b >> 32)}; }

/* Sums of products of packed numbers: four unsigned by four signed bytes, or two by two 16-bit numbers, to 32 bits */
#if LANES == 16
#if defined(__AVX512VNNI__)
INLINE v dot_u8(v a, v x, v y) { return (v)_mm512_dpbusd_epi32((__m512i)a, (__m512i)x, (__m512i)y); }
INLINE v dot_s16(v a, v x, v y) { return (v)_mm512_dpwssd_epi32((__m512i)a, (__m512i)x, (__m512i)y); }
#else
INLINE v dot_u8(v a, v x, v y) { return a + (v)_mm512_madd_epi16(_mm512_maddubs_epi16((__m512i)x, (__m512i)y), _mm512_set1_epi16(1)); }
INLINE v dot_s16(v a, v x, v y) { return a + (v)_mm512_madd_epi16((__m512i)x, (__m512i)y); }
#endif
#elif LANES == 8
#if defined(__AVXVNNI__)
INLINE v dot_u8(v a, v x, v y) { return (v)_mm256_dpbusd_avx_epi32((__m256i)a, (__m256i)x, (__m256i)y); }
INLINE v dot_s16(v a, v x, v y) { return (v)_mm256_dpwssd_avx_epi32((__m256i)a, (__m256i)x, (__m256i)y); }
#else
INLINE v dot_u8(v a, v x, v y) { return a + (v)_mm256_madd_epi16(_mm256_maddubs_epi16((__m256i)x, (__m256i)y), _mm256_set1_epi16(1)); }
INLINE v dot_s16(v a, v x, v y) { return a + (v)_mm256_madd_epi16((__m256i)x, (__m256i)y); }
#endif
#elif defined(__SSE2__)
INLINE v dot_s16(v a, v x, v y) { return a + (v)_mm_madd_epi16((__m128i)x, (__m128i)y); }
#else
INLINE v dot_s16(v a, v x, v y) { return a + ((x << 16) >> 16) * ((y << 16) >> 16) + (x >> 16) * (y >> 16); }
#endif
INLINE v dot_i32(v a, v x, v y) { return a + x * y; }

/* Sums of two products of bytes in 16 bits, two such sums in a lane, and their sum in 32 bits */
#if LANES == 16
INLINE v pairs_u8(v a, v x, v y) { return (v)_mm512_add_epi16((__m512i)a, _mm512_maddubs_epi16((__m512i)x, (__m512i)y)); }
INLINE v sum_of_pairs(v a) { return (v)_mm512_madd_epi16((__m512i)a, _mm512_set1_epi16(1)); }
#elif LANES == 8
INLINE v pairs_u8(v a, v x, v y) { return (v)_mm256_add_epi16((__m256i)a, _mm256_maddubs_epi16((__m256i)x, (__m256i)y)); }
INLINE v sum_of_pairs(v a) { return (v)_mm256_madd_epi16((__m256i)a, _mm256_set1_epi16(1)); }
#endif

/* Two 16-bit numbers in a lane, which belong to two output channels. */
typedef int16_t h __attribute__((vector_size(BYTES), may_alias));
#if LANES == 16
INLINE h h_high(h a, h b) { return (h)_mm512_mulhi_epi16((__m512i)a, (__m512i)b); }
INLINE h h_high_round(h a, h b) { return (h)_mm512_mulhrs_epi16((__m512i)a, (__m512i)b); }
INLINE h h_add_limited(h a, h b) { return (h)_mm512_adds_epi16((__m512i)a, (__m512i)b); }
INLINE h h_min(h a, h b) { return (h)_mm512_min_epi16((__m512i)a, (__m512i)b); }
INLINE h h_max(h a, h b) { return (h)_mm512_max_epi16((__m512i)a, (__m512i)b); }
#elif LANES == 8
INLINE h h_high(h a, h b) { return (h)_mm256_mulhi_epi16((__m256i)a, (__m256i)b); }
INLINE h h_high_round(h a, h b) { return (h)_mm256_mulhrs_epi16((__m256i)a, (__m256i)b); }
INLINE h h_add_limited(h a, h b) { return (h)_mm256_adds_epi16((__m256i)a, (__m256i)b); }
INLINE h h_min(h a, h b) { return (h)_mm256_min_epi16((__m256i)a, (__m256i)b); }
INLINE h h_max(h a, h b) { return (h)_mm256_max_epi16((__m256i)a, (__m256i)b); }
#else
#if defined(__SSE2__)
INLINE h h_high(h a, h b) { return (h)_mm_mulhi_epi16((__m128i)a, (__m128i)b); }
INLINE h h_add_limited(h a, h b) { return (h)_mm_adds_epi16((__m128i)a, (__m128i)b); }
INLINE h h_min(h a, h b) { return (h)_mm_min_epi16((__m128i)a, (__m128i)b); }
INLINE h h_max(h a, h b) { return (h)_mm_max_epi16((__m128i)a, (__m128i)b); }
#else
INLINE h h_high(h a, h b) {
    h found;
    for (int l = 0; l < 2 * LANES; l++)
        found[l] = (int16_t)((int32_t)a[l] * b[l] >> 16);
    return found;
}
INLINE h h_add_limited(h a, h b) {
    h found;
    for (int l = 0; l < 2 * LANES; l++) {
        int32_t sum = (int32_t)a[l] + b[l];
        found[l] = (int16_t)(sum > INT16_MAX ? INT16_MAX : sum < INT16_MIN ? INT16_MIN : sum);
    }
    return found;
}
INLINE h h_min(h a, h b) { h m = a < b; return (a & m) | (b & ~m); }
INLINE h h_max(h a, h b) { h m = a > b; return (a & m) | (b & ~m); }
#endif
INLINE h h_high_round(h a, h b) { /* (a * b + 2^14) >> 15 */
    typedef uint16_t unsigned_h __attribute__((vector_size(BYTES), may_alias));
    unsigned_h low = (unsigned_h)a * (unsigned_h)b, high = (unsigned_h)h_high(a, b);
    return (h)((high << 1) + (low >> 15) + ((low >> 14) & 1));
}
#endif
INLINE h h_low(h a, h b) { return a * b; }
INLINE h h_add(h a, h b) { return a + b; }
INLINE h h_splat(int32_t x) { return (h){0} + (int16_t)x; }
INLINE v half_of(h a, int odd) { return odd ? (v)a >> 16 : ((v)a << 16) >> 16; }
/* The number of one channel of a packed lane, twice: `pattern` has the bytes of four lanes, 0x80 is a byte of zeros. */
#if LANES == 16
INLINE h twice(const char *at, const uint8_t *pattern) {
    return (h)_mm512_shuffle_epi8((__m512i)*(const v *)at, _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)pattern)));
}
#elif LANES == 8
INLINE h twice(const char *at, const uint8_t *pattern) {
    return (h)_mm256_shuffle_epi8((__m256i)*(const v *)at, _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)pattern)));
}
#else /* no bytes here: the pattern is that of the lower or of the upper 16-bit number */
INLINE h twice(const char *at, const uint8_t *pattern) {
    u x = (*(const u *)at >> (uint32_t)(8 * pattern[0])) & 65535u;
    return (h)(x | x << 16);
}
#endif


/* Numbers by their place in memory: a vector, and for packed kinds the part of it. A negative place holds 0. */
INLINE v load_u8(const char *at, int32_t place) { return (v)((*(const u *)(at + (int64_t)(place >> 2) * BYTES) >> ((place & 3) * 8)) & 255u); }
INLINE v load_s16(const char *at, int32_t place) { return (*(const v *)(at + (int64_t)(place >> 1) * BYTES) << ((1 - (place & 1)) * 16)) >> 16; }
INLINE v load_i32(const char *at, int32_t place) { return *(const v *)(at + (int64_t)place * BYTES); }
INLINE w load_i64(const char *at, int32_t place) { return *(const w *)(at + (int64_t)place * 2 * BYTES); }
INLINE v v_zero(void) { return (v){0}; }
INLINE w w_zero(void) { return (w){{0}, {0}}; }
INLINE void store_u8(char *to, const v *r) {
    *(u *)to = ((u)r[0] & 255u) | (((u)r[1] & 255u) << 8) | (((u)r[2] & 255u) << 16) | ((u)r[3] << 24);
}
INLINE void store_s16(char *to, const v *r) { *(u *)to = ((u)r[0] & 65535u) | ((u)r[1] << 16); }
INLINE void store_i32(char *to, const v *r) { *(v *)to = r[0]; }
INLINE void store_i64(char *to, const w *r) { *(w *)to = r[0]; }

/* Tables */
INLINE v gather(const int32_t *table, v index) {
#if LANES == 16
    return (v)_mm512_i32gather_epi32((__m512i)index, table, 4);
#elif LANES == 8
    return (v)_mm256_i32gather_epi32(table, (__m256i)index, 4);
#else
    v found;
    for (int l = 0; l < LANES; l++)
        found[l] = table[index[l]];
    return found;
#endif
}
INLINE w gather64(const int64_t *table, v index) {
    w found;
    for (int l = 0; l < LANES / 2; l++) {
        found.even[l] = table[index[2 * l]];
        found.odd[l] = table[index[2 * l + 1]];
    }
    return found;
}

/* Division that truncates toward zero, as C++ has it. A double holds 53 bits, so below 2^52 its quotient is never rounded
 * up to the next whole number. */
INLINE q q_divide(q a, int64_t n) {
    return __builtin_convertvector(__builtin_convertvector(a, d) / (double)n, q);
}
INLINE w divide(w a, int64_t n) { return (w){q_divide(a.even, n), q_divide(a.odd, n)}; }
INLINE w divide_long(w a, int64_t n) {
    for (int l = 0; l < LANES / 2; l++) {
        a.even[l] /= n;
        a.odd[l] /= n;
    }
    return a;
}

/* x * scale + shift, limited and rounded: half to even, or down. Exact in doubles before it is rounded. */
#if LANES == 16
#define SCALED(NAME, ROUNDED)                                                                         \
    INLINE v NAME(v x, double scale, double shift, double low, double high) {                         \
        const __m512d factor = _mm512_set1_pd(scale), more = _mm512_set1_pd(shift);                   \
        const __m512d least = _mm512_set1_pd(low), most = _mm512_set1_pd(high);                       \
        __m512d a = _mm512_cvtepi32_pd(_mm512_castsi512_si256((__m512i)x)), b = _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64((__m512i)x, 1)); \
        a = _mm512_min_pd(_mm512_max_pd(_mm512_add_pd(_mm512_mul_pd(a, factor), more), least), most); \
        b = _mm512_min_pd(_mm512_max_pd(_mm512_add_pd(_mm512_mul_pd(b, factor), more), least), most); \
        return (v)_mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtpd_epi32(ROUNDED(a))), _mm512_cvtpd_epi32(ROUNDED(b)), 1); \
    }
#define DOWN(Y) _mm512_roundscale_pd(Y, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)
#elif LANES == 8
#define SCALED(NAME, ROUNDED)                                                                         \
    INLINE v NAME(v x, double scale, double shift, double low, double high) {                         \
        const __m256d factor = _mm256_set1_pd(scale), more = _mm256_set1_pd(shift);                   \
        const __m256d least = _mm256_set1_pd(low), most = _mm256_set1_pd(high);                       \
        __m256d a = _mm256_cvtepi32_pd(_mm256_castsi256_si128((__m256i)x)), b = _mm256_cvtepi32_pd(_mm256_extracti128_si256((__m256i)x, 1)); \
        a = _mm256_min_pd(_mm256_max_pd(_mm256_add_pd(_mm256_mul_pd(a, factor), more), least), most); \
        b = _mm256_min_pd(_mm256_max_pd(_mm256_add_pd(_mm256_mul_pd(b, factor), more), least), most); \
        return (v)_mm256_set_m128i(_mm256_cvtpd_epi32(ROUNDED(b)), _mm256_cvtpd_epi32(ROUNDED(a)));   \
    }
#define DOWN(Y) _mm256_round_pd(Y, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)
#else
#define SCALED(NAME, ROUNDED)                                                                         \
    INLINE v NAME(v x, double scale, double shift, double low, double high) {                         \
        v found;                                                                                      \
        for (int l = 0; l < LANES; l++) {                                                             \
            double y = (double)x[l] * scale + shift;                                                  \
            y = y > high ? high : y < low ? low : y;                                                  \
            found[l] = (int32_t)ROUNDED(y);                                                           \
        }                                                                                             \
        return found;                                                                                 \
    }
INLINE double nearest_to(double y) {
    const double shift = 6755399441055744.0; /* 1.5 * 2^52: added and taken away, it rounds half to even */
    return (y + shift) - shift;
}
INLINE double down_to(double y) {
    double near = nearest_to(y);
    return near > y ? near - 1 : near;
}
#define DOWN(Y) down_to(Y)
#endif
#if LANES == 4
SCALED(scaled_near, nearest_to)
#else
SCALED(scaled_near, )
#endif
SCALED(scaled_down, DOWN)

/* Measurements */
INLINE int64_t v_sum(v a) {
    int64_t total = 0;
    for (int l = 0; l < LANES; l++)
        total += a[l];
    return total;
}
INLINE v w_mask(w m) { return narrow(m); }
INLINE v v_of_int64(int64_t x) { return splat(x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : (int32_t)x); }
INLINE w w_of_int64(int64_t x) { return w_of(splat64(x)); }
INLINE void v_extremes(v least, v most, int64_t *to) {
    for (int l = 0; l < LANES; l++) {
        to[0] = least[l] < to[0] ? least[l] : to[0];
        to[1] = most[l] > to[1] ? most[l] : to[1];
    }
}
INLINE void w_extremes(w least, w most, int64_t *to) {
    for (int l = 0; l < LANES / 2; l++) {
        to[0] = least.even[l] < to[0] ? least.even[l] : to[0];
        to[0] = least.odd[l] < to[0] ? least.odd[l] : to[0];
        to[1] = most.even[l] > to[1] ? most.even[l] : to[1];
        to[1] = most.odd[l] > to[1] ? most.odd[l] : to[1];
    }
}
