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
#endif

#if LANES == 16
INLINE int64_t row_of(const struct block *b, int l) { return (b->event + (l < b->live ? l : 0)) * b->size + b->at; }
INLINE void read_i64(struct block *b, v *r) {
    const __m512i low = _mm512_set1_epi64(b->low), high = _mm512_set1_epi64(b->high);
    const __mmask16 some = b->count >= 16 ? 0xffff : (__mmask16)((1u << b->count) - 1);
    const __mmask8 first = (__mmask8)some, second = (__mmask8)(some >> 8);
    unsigned bad = 0;
    __m512i t[16];
    UNROLL for (int l = 0; l < 16; l++) {
        const int64_t *x = (const int64_t *)b->in + row_of(b, l);
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
#else
#define READ(NAME, TYPE, NUMBER, BAD, CODE)                                                       \
    INLINE void NAME(struct block *b, v *r) {                                                     \
        for (int c = 0; c < LANES; c++)                                                           \
            r[c] = (v){0};                                                                        \
        for (int l = 0; l < LANES; l++) {                                                         \
            const TYPE *x = (const TYPE *)b->in + (b->event + (l < b->live ? l : 0)) * b->size + b->at; \
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
        const int64_t *x = (const int64_t *)b->in + (b->event + (l < b->live ? l : 0)) * b->size + b->at;
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
