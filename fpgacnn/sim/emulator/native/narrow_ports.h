/* Ports of 8, 16 and 32 bits: they move an eighth to a half of the memory that int64 codes do.
 *
 * Rows are read as they are; then codes are checked, or whole numbers become codes.
 */
#if LANES == 16
#define ROWS(NAME, SIZE, LOADED)                                                                                       \
    INLINE void read_##NAME(struct block *b, v *r) {                                                                   \
        const __mmask16 some = b->count >= 16 ? 0xffff : (__mmask16)((1u << b->count) - 1);                            \
        __m512i t[16];                                                                                                 \
        UNROLL for (int l = 0; l < 16; l++) {                                                                          \
            const char *x = (const char *)b->in + row_of(b, l) * SIZE;                                                 \
            load_early(x + 16 * b->size * SIZE);                                                                       \
            t[l] = LOADED;                                                                                             \
        }                                                                                                              \
        turn(t);                                                                                                       \
        UNROLL for (int l = 0; l < 16; l++) r[l] = (v)t[l];                                                            \
    }
ROWS(u8, 1, _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(some, x)))
ROWS(i8, 1, _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(some, x)))
ROWS(u16, 2, _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(some, x)))
ROWS(i16, 2, _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(some, x)))
ROWS(i32, 4, _mm512_maskz_loadu_epi32(some, x))
#define WRITTEN(NAME, TYPE, STORE)                                                                                     \
    INLINE void write_##NAME(TYPE *out, int64_t size, int64_t live, int64_t count, const v *r) {                       \
        const __mmask16 some = count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1);                                  \
        __m512i t[16];                                                                                                 \
        UNROLL for (int l = 0; l < 16; l++) t[l] = (__m512i)r[l];                                                      \
        turn(t);                                                                                                       \
        UNROLL for (int l = 0; l < 16; l++) if (l < live) STORE(out + l * size, some, t[l]);                           \
    }
WRITTEN(i8, int8_t, _mm512_mask_cvtepi32_storeu_epi8)
WRITTEN(i16, int16_t, _mm512_mask_cvtepi32_storeu_epi16)
WRITTEN(i32, int32_t, _mm512_mask_storeu_epi32)
#elif LANES == 8
/* At most 16 bytes; nothing behind them is read. */
INLINE __m128i row_bytes(const void *x, int64_t bytes) {
    __m128i found = _mm_setzero_si128();
    if (bytes == 16)
        return _mm_loadu_si128((const __m128i *)x);
    if (bytes == 8)
        return _mm_loadl_epi64((const __m128i *)x);
    memcpy(&found, x, (size_t)bytes);
    return found;
}
#define ROWS(NAME, SIZE, LOADED)                                                                                       \
    INLINE void read_##NAME(struct block *b, v *r) {                                                                   \
        const int64_t bytes = b->count * SIZE;                                                                         \
        __m256i t[8];                                                                                                  \
        UNROLL for (int l = 0; l < 8; l++) {                                                                           \
            const char *x = (const char *)b->in + row_of(b, l) * SIZE;                                                 \
            load_early(x + 8 * b->size * SIZE);                                                                        \
            t[l] = LOADED;                                                                                             \
        }                                                                                                              \
        turn(t);                                                                                                       \
        UNROLL for (int l = 0; l < 8; l++) r[l] = (v)t[l];                                                             \
    }
ROWS(u8, 1, _mm256_cvtepu8_epi32(row_bytes(x, bytes)))
ROWS(i8, 1, _mm256_cvtepi8_epi32(row_bytes(x, bytes)))
ROWS(u16, 2, _mm256_cvtepu16_epi32(row_bytes(x, bytes)))
ROWS(i16, 2, _mm256_cvtepi16_epi32(row_bytes(x, bytes)))
ROWS(i32, 4, _mm256_maskload_epi32((const int *)x, first_of(bytes / 4)))
INLINE __m128i halves_of(__m256i x) { return _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1)); }
INLINE void put_bytes(void *to, int64_t bytes, __m128i x) {
    if (bytes == 16)
        _mm_storeu_si128((__m128i *)to, x);
    else if (bytes == 8)
        _mm_storel_epi64((__m128i *)to, x);
    else
        memcpy(to, &x, (size_t)bytes);
}
#define WRITTEN(NAME, TYPE, STORE)                                                                                     \
    INLINE void write_##NAME(TYPE *out, int64_t size, int64_t live, int64_t count, const v *r) {                       \
        const int64_t bytes = count * (int64_t)sizeof(TYPE);                                                           \
        __m256i t[8];                                                                                                  \
        UNROLL for (int l = 0; l < 8; l++) t[l] = (__m256i)r[l];                                                       \
        turn(t);                                                                                                       \
        UNROLL for (int l = 0; l < 8; l++) if (l < live) {                                                             \
            TYPE *to = out + l * size;                                                                                 \
            STORE;                                                                                                     \
        }                                                                                                              \
    }
WRITTEN(i8, int8_t, put_bytes(to, bytes, _mm_packs_epi16(halves_of(t[l]), _mm_setzero_si128())))
WRITTEN(i16, int16_t, put_bytes(to, bytes, halves_of(t[l])))
WRITTEN(i32, int32_t, _mm256_maskstore_epi32(to, first_of(bytes / 4), t[l]))
#else
READ(read_u8, uint8_t, int32_t, 0, y)
READ(read_i8, int8_t, int32_t, 0, y)
READ(read_u16, uint16_t, int32_t, 0, y)
READ(read_i16, int16_t, int32_t, 0, y)
READ(read_i32, int32_t, int32_t, 0, y)
#define WRITTEN(NAME, TYPE)                                                                                            \
    INLINE void write_##NAME(TYPE *out, int64_t size, int64_t live, int64_t count, const v *r) {                       \
        for (int l = 0; l < live; l++)                                                                                 \
            for (int c = 0; c < count; c++)                                                                            \
                out[l * size + c] = (TYPE)r[c][l];                                                                     \
    }
WRITTEN(i8, int8_t)
WRITTEN(i16, int16_t)
WRITTEN(i32, int32_t)
#endif
/* Codes must be in low..high. */
INLINE void check_codes(struct block *b, int64_t shift, v *r) {
    const v low = splat((int32_t)b->low), high = splat((int32_t)b->high);
    v bad = v_zero();
    (void)shift;
    for (int64_t n = 0; n < b->count; n++)
        bad |= (v)(r[n] < low) | (v)(r[n] > high);
    for (int l = 0; l < LANES; l++)
        b->bad |= bad[l];
}
/* Whole numbers become codes with `shift` bits behind the point, limited to low..high. */
INLINE void limit_whole(struct block *b, int64_t shift, v *r) {
    const v low = splat((int32_t)b->low), high = splat((int32_t)b->high);
    const v least = splat(-(int32_t)(-b->low >> shift)), most = splat((int32_t)(b->high >> shift));
    for (int64_t n = 0; n < b->count; n++) {
        const v below = (v)(r[n] < least), above = (v)(r[n] > most), code = (v)((u)r[n] << (uint32_t)shift);
        r[n] = (below & low) | (above & high) | (~(below | above) & code);
    }
}
