"""The windows of a convolution with parallel io in C++: loops, where one assignment for each value would fill the disk.

hls4ml writes an assignment for every value of every window. A 3x3 convolution of 32 channels of 256x256 pixels has 19
million of them, which is half a gigabyte of text that no tool can read.
"""

from __future__ import annotations

from dataclasses import dataclass

from fpgacnn.ir.shapes import Pair, window_counts

MOST_ASSIGNMENTS = 1 << 20
"""Windows with more values than these are loops."""

LOOPS = """\
template<class data_T, typename CONFIG_T>
class fill_buffer_{index} : public nnet::FillConv{dimensions}DBuffer<data_T, CONFIG_T> {{
    public:
    static void fill_buffer(
        data_T data[{in_height} * {in_width} * {channels}],
        data_T buffer[CONFIG_T::n_pixels][{height} * {width} * {channels}],
        const unsigned partition
    ) {{
        // fpgacnn: loops, because one assignment for each of {values} values is more than tools can read
        for (int pixel = 0; pixel < (int)CONFIG_T::n_pixels; pixel++) {{
            const int place = (int)(partition * CONFIG_T::n_pixels) + pixel;
            const int top = place / {out_width} * {down} - {pad_top}, left = place % {out_width} * {across} - {pad_left};
            for (int row = 0; row < {height}; row++) {{
                for (int column = 0; column < {width}; column++) {{
                    #pragma HLS UNROLL
                    const int y = top + row, x = left + column;
                    const bool inside = y >= 0 && y < {in_height} && x >= 0 && x < {in_width};
                    for (int channel = 0; channel < {channels}; channel++) {{
                        #pragma HLS UNROLL
                        const int to = (row * {width} + column) * {channels} + channel;
                        if (inside)
                            buffer[pixel][to] = data[(y * {in_width} + x) * {channels} + channel];
                        else
                            buffer[pixel][to] = 0;
                    }}
                }}
            }}
        }}
    }}
}};
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The windows of a convolution over an image (rows, columns, channels); pads are top, bottom, left, right.

    One-dimensional convolutions have one row.
    """

    dimensions: int
    shape: tuple[int, int, int]
    kernel: Pair
    strides: Pair
    pads: tuple[int, int, int, int]

    @property
    def out_shape(self) -> Pair:
        """Rows and columns of the windows."""
        return window_counts(self.shape[:2], self.kernel, self.strides, self.pads)

    @property
    def values(self) -> int:
        """Values of all windows."""
        rows, columns = self.out_shape
        return rows * columns * self.kernel[0] * self.kernel[1] * self.shape[2]


def loops(index: int | str, windows: Windows) -> str:
    """The C++ class that fills the buffer of the convolution with the given index."""
    return LOOPS.format(
        index=index,
        dimensions=windows.dimensions,
        in_height=windows.shape[0],
        in_width=windows.shape[1],
        channels=windows.shape[2],
        height=windows.kernel[0],
        width=windows.kernel[1],
        down=windows.strides[0],
        across=windows.strides[1],
        pad_top=windows.pads[0],
        pad_left=windows.pads[2],
        out_width=windows.out_shape[1],
        values=windows.values,
    )
