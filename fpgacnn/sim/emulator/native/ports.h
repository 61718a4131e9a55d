/* Ports: blocks of LANES numbers of LANES events, turned so that the events lie side by side, and back.
 *
 * Events come as int64 codes, or as floats that are rounded half to even and limited to low..high. `bad` is set where a
 * code is none of the format, or a float no number.
 */
struct block {
    const void *in;
    int64_t size, event, live, at, count, low, high;
    double scale;
    int64_t bad;
};
INLINE int64_t row_of(const struct block *b, int l) { return (b->event + (l < b->live ? l : 0)) * b->size + b->at; }
/* Load what the next events need while these are computed; an address behind the array does no harm. */
INLINE void load_early(const void *next) { __builtin_prefetch(next); }
#if LANES == 16
INLINE void turn(__m512i r[16]) {
    __m512i t[16];
    UNROLL for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0x88);
        t[4 + i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0xdd);
        t[8 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0x88);
        t[12 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0xdd);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88);
        r[4 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0x88);
        r[8 + i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd);
        r[12 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0xdd);
    }
}
INLINE void read_i64(struct block *b, v *r) {
    const __m512i low = _mm512_set1_epi64(b->low), high = _mm512_set1_epi64(b->high);
    const __mmask16 some = b->count >= 16 ? 0xffff : (__mmask16)((1u << b->count) - 1);
    const __mmask8 first = (__mmask8)some, second = (__mmask8)(some >> 8);
    unsigned bad = 0;
    __m512i t[16];
    UNROLL for (int l = 0; l < 16; l++) {
        const int64_t *x = (const int64_t *)b->in + row_of(b, l);
        load_early(x + 16 * b->size);
        load_early(x + 16 * b->size + 8);
        __m512i one = _mm512_maskz_loadu_epi64(first, x), other = _mm512_maskz_loadu_epi64(second, x + 8);
        bad |= _mm512_mask_cmplt_epi64_mask(first, one, low) | _mm512_mask_cmpgt_epi64_mask(first, one, high);
        bad |= _mm512_mask_cmplt_epi64_mask(second, other, low) | _mm512_mask_cmpgt_epi64_mask(second, other, high);
        t[l] = _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi64_epi32(one)), _mm512_cvtepi64_epi32(other), 1);
    }
    b->bad |= bad;
    turn(t);
    UNROLL for (int l = 0; l < 16; l++) r[l] = (v)t[l];
}
INLINE void read_f32(struct block *b, v *r) {
    const __m512 low = _mm512_set1_ps((float)b->low), high = _mm512_set1_ps((float)b->high), scale = _mm512_set1_ps((float)b->scale);
    const __mmask16 some = b->count >= 16 ? 0xffff : (__mmask16)((1u << b->count) - 1);
    unsigned bad = 0;
    __m512i t[16];
    UNROLL for (int l = 0; l < 16; l++) {
        __m512 x = _mm512_maskz_loadu_ps(some, (const float *)b->in + row_of(b, l));
        bad |= _mm512_fpclass_ps_mask(x, 0x99);
        t[l] = _mm512_cvtps_epi32(_mm512_max_ps(_mm512_min_ps(_mm512_mul_ps(x, scale), high), low));
    }
    b->bad |= bad;
    turn(t);
    UNROLL for (int l = 0; l < 16; l++) r[l] = (v)t[l];
}
INLINE void read_f64(struct block *b, v *r) {
    const __m512d low = _mm512_set1_pd((double)b->low), high = _mm512_set1_pd((double)b->high), scale = _mm512_set1_pd(b->scale);
    const __mmask16 some = b->count >= 16 ? 0xffff : (__mmask16)((1u << b->count) - 1);
    unsigned bad = 0;
    __m512i t[16];
    UNROLL for (int l = 0; l < 16; l++) {
        const double *x = (const double *)b->in + row_of(b, l);
        __m512d one = _mm512_maskz_loadu_pd((__mmask8)some, x), other = _mm512_maskz_loadu_pd((__mmask8)(some >> 8), x + 8);
        bad |= _mm512_fpclass_pd_mask(one, 0x99) | _mm512_fpclass_pd_mask(other, 0x99);
        one = _mm512_max_pd(_mm512_min_pd(_mm512_mul_pd(one, scale), high), low);
        other = _mm512_max_pd(_mm512_min_pd(_mm512_mul_pd(other, scale), high), low);
        t[l] = _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtpd_epi32(one)), _mm512_cvtpd_epi32(other), 1);
    }
    b->bad |= bad;
    turn(t);
    UNROLL for (int l = 0; l < 16; l++) r[l] = (v)t[l];
}
INLINE void write_i64(int64_t *out, int64_t size, int64_t live, int64_t count, const v *r) {
    const __mmask16 some = count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1);
    __m512i t[16];
    UNROLL for (int l = 0; l < 16; l++) t[l] = (__m512i)r[l];
    turn(t);
    UNROLL for (int l = 0; l < 16; l++) if (l < live) {
        int64_t *to = out + l * size;
        _mm512_mask_storeu_epi64(to, (__mmask8)some, _mm512_cvtepi32_epi64(_mm512_castsi512_si256(t[l])));
        if (count > 8)
            _mm512_mask_storeu_epi64(to + 8, (__mmask8)(some >> 8), _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(t[l], 1)));
    }
}
#elif LANES == 8
INLINE void turn(__m256i r[8]) {
    __m256i t[8];
    UNROLL for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    UNROLL for (int i = 0; i < 2; i++) {
        r[4 * i] = _mm256_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = _mm256_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = _mm256_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = _mm256_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2x128_si256(r[i], r[4 + i], 0x20);
        t[4 + i] = _mm256_permute2x128_si256(r[i], r[4 + i], 0x31);
    }
    UNROLL for (int i = 0; i < 8; i++) r[i] = t[i];
}
/* The first `count` of 8 numbers: lanes of ones. */
INLINE __m256i first_of(int64_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE __m256i low_half(__m256i mask) { return _mm256_cvtepi32_epi64(_mm256_castsi256_si128(mask)); }
INLINE __m256i high_half(__m256i mask) { return _mm256_cvtepi32_epi64(_mm256_extracti128_si256(mask, 1)); }
/* The low words of 8 numbers of 64 bits. */
INLINE __m256i low_words(__m256i one, __m256i other) {
    __m256 words = _mm256_shuffle_ps(_mm256_castsi256_ps(one), _mm256_castsi256_ps(other), 0x88);
    return _mm256_permute4x64_epi64(_mm256_castps_si256(words), 0xd8);
}
INLINE void read_i64(struct block *b, v *r) {
    const __m256i low = _mm256_set1_epi64x(b->low), high = _mm256_set1_epi64x(b->high), some = first_of(b->count);
    const __m256i first = low_half(some), second = high_half(some);
    __m256i bad = _mm256_setzero_si256(), t[8];
    UNROLL for (int l = 0; l < 8; l++) {
        const long long *x = (const long long *)b->in + row_of(b, l);
        load_early(x + 8 * b->size);
        __m256i one = _mm256_maskload_epi64(x, first), other = _mm256_maskload_epi64(x + 4, second);
        __m256i outside = _mm256_or_si256(_mm256_cmpgt_epi64(low, one), _mm256_cmpgt_epi64(one, high));
        bad = _mm256_or_si256(bad, _mm256_and_si256(outside, first));
        outside = _mm256_or_si256(_mm256_cmpgt_epi64(low, other), _mm256_cmpgt_epi64(other, high));
        bad = _mm256_or_si256(bad, _mm256_and_si256(outside, second));
        t[l] = low_words(one, other);
    }
    b->bad |= !_mm256_testz_si256(bad, bad);
    turn(t);
    UNROLL for (int l = 0; l < 8; l++) r[l] = (v)t[l];
}
INLINE void read_f32(struct block *b, v *r) {
    const __m256 low = _mm256_set1_ps((float)b->low), high = _mm256_set1_ps((float)b->high), scale = _mm256_set1_ps((float)b->scale);
    const __m256i some = first_of(b->count);
    __m256 bad = _mm256_setzero_ps();
    __m256i t[8];
    UNROLL for (int l = 0; l < 8; l++) {
        __m256 x = _mm256_maskload_ps((const float *)b->in + row_of(b, l), some);
        bad = _mm256_or_ps(bad, _mm256_cmp_ps(_mm256_sub_ps(x, x), _mm256_setzero_ps(), _CMP_NEQ_UQ));
        t[l] = _mm256_cvtps_epi32(_mm256_max_ps(_mm256_min_ps(_mm256_mul_ps(x, scale), high), low));
    }
    b->bad |= _mm256_movemask_ps(bad) != 0;
    turn(t);
    UNROLL for (int l = 0; l < 8; l++) r[l] = (v)t[l];
}
INLINE void read_f64(struct block *b, v *r) {
    const __m256d low = _mm256_set1_pd((double)b->low), high = _mm256_set1_pd((double)b->high), scale = _mm256_set1_pd(b->scale);
    const __m256i some = first_of(b->count), first = low_half(some), second = high_half(some);
    __m256d bad = _mm256_setzero_pd();
    __m256i t[8];
    UNROLL for (int l = 0; l < 8; l++) {
        const double *x = (const double *)b->in + row_of(b, l);
        __m256d one = _mm256_maskload_pd(x, first), other = _mm256_maskload_pd(x + 4, second);
        bad = _mm256_or_pd(bad, _mm256_cmp_pd(_mm256_sub_pd(one, one), _mm256_setzero_pd(), _CMP_NEQ_UQ));
        bad = _mm256_or_pd(bad, _mm256_cmp_pd(_mm256_sub_pd(other, other), _mm256_setzero_pd(), _CMP_NEQ_UQ));
        one = _mm256_max_pd(_mm256_min_pd(_mm256_mul_pd(one, scale), high), low);
        other = _mm256_max_pd(_mm256_min_pd(_mm256_mul_pd(other, scale), high), low);
        t[l] = _mm256_set_m128i(_mm256_cvtpd_epi32(other), _mm256_cvtpd_epi32(one));
    }
    b->bad |= _mm256_movemask_pd(bad) != 0;
    turn(t);
    UNROLL for (int l = 0; l < 8; l++) r[l] = (v)t[l];
}
INLINE void write_i64(int64_t *out, int64_t size, int64_t live, int64_t count, const v *r) {
    const __m256i some = first_of(count), first = low_half(some), second = high_half(some);
    __m256i t[8];
    UNROLL for (int l = 0; l < 8; l++) t[l] = (__m256i)r[l];
    turn(t);
    UNROLL for (int l = 0; l < 8; l++) if (l < live) {
        long long *to = (long long *)out + l * size;
        _mm256_maskstore_epi64(to, first, low_half(t[l]));
        if (count > 4)
            _mm256_maskstore_epi64(to + 4, second, high_half(t[l]));
    }
}
#else
#define READ(NAME, TYPE, NUMBER, BAD, CODE)                                                       \
    INLINE void NAME(struct block *b, v *r) {                                                     \
        for (int c = 0; c < LANES; c++)                                                           \
            r[c] = (v){0};                                                                        \
        for (int l = 0; l < LANES; l++) {                                                         \
            const TYPE *x = (const TYPE *)b->in + row_of(b, l);                                       \
            for (int c = 0; c < b->count; c++) {                                                  \
                NUMBER y = x[c];                                                                  \
                b->bad |= BAD;                                                                    \
                r[c][l] = (int32_t)(CODE);                                                        \
            }                                                                                     \
        }                                                                                         \
    }
INLINE double nearest(double y, double low, double high) {
    const double shift = 6755399441055744.0; /* 1.5 * 2^52: added and taken away, it rounds half to even */
    y = y > high ? high : y < low ? low : y;
    return (y + shift) - shift;
}
READ(read_i64, int64_t, int64_t, (y < b->low) | (y > b->high), y)
READ(read_f32, float, double, !(y - y == 0), nearest(y *b->scale, (double)b->low, (double)b->high))
READ(read_f64, double, double, !(y - y == 0), nearest(y *b->scale, (double)b->low, (double)b->high))
INLINE void write_i64(int64_t *out, int64_t size, int64_t live, int64_t count, const v *r) {
    for (int l = 0; l < live; l++)
        for (int c = 0; c < count; c++)
            out[l * size + c] = r[c][l];
}
#endif
INLINE void read_wide(struct block *b, w *r) {
    for (int l = 0; l < LANES; l++) {
        const int64_t *x = (const int64_t *)b->in + row_of(b, l);
        for (int c = 0; c < b->count; c++) {
            b->bad |= (x[c] < b->low) | (x[c] > b->high);
            if (l & 1)
                r[c].odd[l / 2] = x[c];
            else
                r[c].even[l / 2] = x[c];
        }
    }
}
INLINE void write_wide(int64_t *out, int64_t size, int64_t live, int64_t count, const w *r) {
    for (int l = 0; l < live; l++)
        for (int c = 0; c < count; c++)
            out[l * size + c] = l & 1 ? r[c].odd[l / 2] : r[c].even[l / 2];
}
