#ifndef NNET_IN_MEMORY_H_
#define NNET_IN_MEMORY_H_

#include "hls_stream.h"
#include "nnet_common.h"
#include "nnet_types.h"

// Templates of fpgacnn's own: streams whose values wait in memories, where those of hls4ml unroll a whole row of an
// image, or split an image into registers. Every loop that is unrolled is one over channels or over memories.

namespace nnet {

struct resize_by_lines_config {
    static const unsigned n_in = 10;
    static const unsigned height = 10;
    static const unsigned width = 10;
    static const unsigned n_chan = 10;
    static const unsigned new_height = 10;
    static const unsigned new_width = 10;
};

// Nearest neighbours: every pixel is written new_width / width times as it comes, then its row again from memory.
template <class data_T, class res_T, typename CONFIG_T>
void resize_by_lines(hls::stream<data_T> &data, hls::stream<res_T> &res) {
    constexpr unsigned lines = CONFIG_T::new_height / CONFIG_T::height;
    constexpr unsigned repeats = CONFIG_T::new_width / CONFIG_T::width;

    typename data_T::value_type line[CONFIG_T::width][CONFIG_T::n_chan];
    #pragma HLS ARRAY_PARTITION variable=line complete dim=2
    typename data_T::value_type pixel[CONFIG_T::n_chan];
    #pragma HLS ARRAY_PARTITION variable=pixel complete

ResizeRows:
    for (unsigned row = 0; row < CONFIG_T::height; row++) {
    ResizeFirst:
        for (unsigned column = 0; column < CONFIG_T::width; column++) {
        ResizeFirstRepeat:
            for (unsigned repeat = 0; repeat < repeats; repeat++) {
                #pragma HLS LOOP_FLATTEN
                #pragma HLS PIPELINE
                if (repeat == 0) {
                    data_T in_data = data.read();
                ResizeKeep:
                    for (unsigned k = 0; k < CONFIG_T::n_chan; k++) {
                        #pragma HLS UNROLL
                        pixel[k] = in_data[k];
                        line[column][k] = in_data[k];
                    }
                }
                res_T out_data;
                PRAGMA_DATA_PACK(out_data)
            ResizeFirstPack:
                for (unsigned k = 0; k < CONFIG_T::n_chan; k++) {
                    #pragma HLS UNROLL
                    out_data[k] = typename res_T::value_type(pixel[k]);
                }
                res.write(out_data);
            }
        }

    ResizeAgain:
        for (unsigned again = 1; again < lines; again++) {
        ResizeAgainColumn:
            for (unsigned column = 0; column < CONFIG_T::width; column++) {
            ResizeAgainRepeat:
                for (unsigned repeat = 0; repeat < repeats; repeat++) {
                    #pragma HLS LOOP_FLATTEN
                    #pragma HLS PIPELINE
                    res_T out_data;
                    PRAGMA_DATA_PACK(out_data)
                ResizeAgainPack:
                    for (unsigned k = 0; k < CONFIG_T::n_chan; k++) {
                        #pragma HLS UNROLL
                        out_data[k] = typename res_T::value_type(line[column][k]);
                    }
                    res.write(out_data);
                }
            }
        }
    }
}

struct transpose_pixels_config {
    static const unsigned n_in = 10;
    static const unsigned n_blocks = 1; // parts of a frame that stay in their order
    static const unsigned n_rows = 10;
    static const unsigned n_cols = 10;
    static const unsigned n_chan = 10;
};

// Rows and columns of each block change places; a word, which is all channels of a pixel, stays as it is.
template <class data_T, class res_T, typename CONFIG_T>
void transpose_pixels(hls::stream<data_T> &data, hls::stream<res_T> &res) {
    typename data_T::value_type block[CONFIG_T::n_rows * CONFIG_T::n_cols][CONFIG_T::n_chan];
    #pragma HLS ARRAY_PARTITION variable=block complete dim=2

TransposeBlocks:
    for (unsigned number = 0; number < CONFIG_T::n_blocks; number++) {
    TransposeRead:
        for (unsigned i = 0; i < CONFIG_T::n_rows * CONFIG_T::n_cols; i++) {
            #pragma HLS PIPELINE
            data_T in_data = data.read();
        TransposeKeep:
            for (unsigned k = 0; k < CONFIG_T::n_chan; k++) {
                #pragma HLS UNROLL
                block[i][k] = in_data[k];
            }
        }

    TransposeColumns:
        for (unsigned column = 0; column < CONFIG_T::n_cols; column++) {
        TransposeRows:
            for (unsigned row = 0; row < CONFIG_T::n_rows; row++) {
                #pragma HLS LOOP_FLATTEN
                #pragma HLS PIPELINE
                res_T out_data;
                PRAGMA_DATA_PACK(out_data)
            TransposePack:
                for (unsigned k = 0; k < CONFIG_T::n_chan; k++) {
                    #pragma HLS UNROLL
                    out_data[k] = typename res_T::value_type(block[row * CONFIG_T::n_cols + column][k]);
                }
                res.write(out_data);
            }
        }
    }
}

struct transpose_by_banks_config {
    static const unsigned n_in = 10;
    static const unsigned n_blocks = 1; // parts of a frame that stay in their order
    static const unsigned n_others = 1; // positions along the axis of pixels that does not become the channels
    static const unsigned n_banks = 10; // values of a result that are read in one cycle, each from memories of its own
    static const unsigned n_groups = 1; // cycles for one result, which has n_groups * n_banks values
    static const unsigned n_chan = 10;
    static const unsigned from_rows = 0;      // 1: the rows become the channels; 0: the columns do
    static const unsigned channels_first = 0; // 1: the channels become the rows; 0: they become the columns
};

// An axis of pixels becomes the channels: the values of a result lie in different memories.
template <class data_T, class res_T, typename CONFIG_T>
void transpose_by_banks(hls::stream<data_T> &data, hls::stream<res_T> &res) {
    constexpr unsigned depth = CONFIG_T::n_groups * CONFIG_T::n_others;
    typename data_T::value_type banks[CONFIG_T::n_banks][depth][CONFIG_T::n_chan];
    #pragma HLS ARRAY_PARTITION variable=banks complete dim=1
    #pragma HLS ARRAY_PARTITION variable=banks complete dim=3
    typename res_T::value_type result[CONFIG_T::n_groups * CONFIG_T::n_banks];
    #pragma HLS ARRAY_PARTITION variable=result complete

BankBlocks:
    for (unsigned number = 0; number < CONFIG_T::n_blocks; number++) {
        unsigned bank = 0, group = 0, other = 0, chan = 0;

    BankRead:
        for (unsigned i = 0; i < CONFIG_T::n_banks * depth; i++) {
            #pragma HLS PIPELINE
            data_T in_data = data.read();
        BankChoice:
            for (unsigned b = 0; b < CONFIG_T::n_banks; b++) {
                #pragma HLS UNROLL
                if (b == bank) {
                BankKeep:
                    for (unsigned k = 0; k < CONFIG_T::n_chan; k++) {
                        #pragma HLS UNROLL
                        banks[b][group * CONFIG_T::n_others + other][k] = in_data[k];
                    }
                }
            }
            if (CONFIG_T::from_rows) {
                if (++other == CONFIG_T::n_others) {
                    other = 0;
                    if (++bank == CONFIG_T::n_banks) {
                        bank = 0;
                        group++;
                    }
                }
            } else if (++bank == CONFIG_T::n_banks) {
                bank = 0;
                if (++group == CONFIG_T::n_groups) {
                    group = 0;
                    other++;
                }
            }
        }

        group = 0;
        other = 0;
    BankWrite:
        for (unsigned i = 0; i < CONFIG_T::n_chan * depth; i++) {
            #pragma HLS PIPELINE
        BankGather:
            for (unsigned b = 0; b < CONFIG_T::n_banks; b++) {
                #pragma HLS UNROLL
                result[group * CONFIG_T::n_banks + b] =
                    typename res_T::value_type(banks[b][group * CONFIG_T::n_others + other][chan]);
            }
            if (++group == CONFIG_T::n_groups) {
                res_T out_data;
                PRAGMA_DATA_PACK(out_data)
            BankPack:
                for (unsigned k = 0; k < CONFIG_T::n_groups * CONFIG_T::n_banks; k++) {
                    #pragma HLS UNROLL
                    out_data[k] = result[k];
                }
                res.write(out_data);
                group = 0;
                if (CONFIG_T::channels_first) {
                    if (++other == CONFIG_T::n_others) {
                        other = 0;
                        chan++;
                    }
                } else if (++chan == CONFIG_T::n_chan) {
                    chan = 0;
                    other++;
                }
            }
        }
    }
}

} // namespace nnet

#endif
