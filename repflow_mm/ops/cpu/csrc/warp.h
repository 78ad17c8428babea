/* Template (REAL, SUFFIX): sampling of an image whose fields lie together, pixel by pixel. */

#ifndef BORDER_MARGIN
/* How far, in pixels, a place may lie outside the image and count as inside: rounding alone must not switch the data
 * term of a border pixel that does not move. */
#define BORDER_MARGIN 0.01
#endif

/* Whether (x, y) lies in the image without its border of so many pixels. Not so for NaN. */
INLINE int NAME(is_inside)(ptrdiff_t height, ptrdiff_t width, ptrdiff_t border, REAL x, REAL y) {
    const REAL low = border - (REAL)BORDER_MARGIN;
    return x >= low && x <= width - 1 - low && y >= low && y <= height - 1 - low;
}

/* Weights of cubic convolution (Keys, 1981, with a = -3/4) for the fraction t in [0, 1). */
INLINE void NAME(cubic_weights)(REAL t, REAL *weights) {
    const REAL a = (REAL)-0.75, s = 1 - t;
    weights[0] = a * t * s * s;
    weights[1] = ((a + 2) * t - (a + 3)) * t * t + 1;
    weights[2] = ((a + 2) * s - (a + 3)) * s * s + 1;
    weights[3] = a * s * t * t;
}

/* The fields of `pixels`, (H, W, fields), at (x, y), less than a pixel outside the image at most; out there the border
 * is repeated. */
INLINE void NAME(sample)(
    ptrdiff_t height, ptrdiff_t width, const REAL *pixels, int fields, REAL x, REAL y, REAL *values
) {
    const ptrdiff_t left = (ptrdiff_t)(x + 1) - 1, top = (ptrdiff_t)(y + 1) - 1;  /* rounded down */
    REAL along_x[4], along_y[4];
    NAME(cubic_weights)(x - left, along_x);
    NAME(cubic_weights)(y - top, along_y);
    ptrdiff_t columns[4];
    for (int k = 0; k < 4; k++) {
        const ptrdiff_t j = left + k - 1;
        columns[k] = (j < 0 ? 0 : j < width ? j : width - 1) * fields;
    }
    for (int field = 0; field < fields; field++) values[field] = 0;
    for (int k = 0; k < 4; k++) {
        const ptrdiff_t i = top + k - 1;
        const REAL *row = pixels + (i < 0 ? 0 : i < height ? i : height - 1) * width * fields;
        for (int field = 0; field < fields; field++) {
            values[field] += along_y[k] * ((along_x[0] * row[columns[0] + field] + along_x[1] * row[columns[1] + field]) +
                                           (along_x[2] * row[columns[2] + field] + along_x[3] * row[columns[3] + field]));
        }
    }
}
