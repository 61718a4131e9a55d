#ifndef NNET_MULTI_THRESHOLD_H_
#define NNET_MULTI_THRESHOLD_H_

#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"
#include "nnet_common.h"
#include "nnet_types.h"

// A template of fpgacnn's own: step functions by comparisons with sorted thresholds.

namespace nnet {

struct multi_threshold_config {
    static const unsigned n_in = 10;
    static const unsigned n_filt = 1;    // channels, the last axis
    static const unsigned n_rows = 1;    // 1: the same thresholds for all channels; n_filt: a row for each
    static const unsigned n_levels = 1;  // comparisons for each value
    static const unsigned table_size = 2; // values of a row, 2^n_levels; a row has one threshold fewer
};

// The value at the place that counts how many thresholds of the channel's row are not above x: a binary search.
template <class data_T, typename CONFIG_T>
inline typename CONFIG_T::value_t multi_threshold_value(
    data_T x, unsigned channel, const typename CONFIG_T::threshold_t thresholds[CONFIG_T::n_rows * (CONFIG_T::table_size - 1)],
    const typename CONFIG_T::value_t values[CONFIG_T::n_rows * CONFIG_T::table_size]) {
    #pragma HLS INLINE
    const unsigned row = CONFIG_T::n_rows == 1 ? 0 : channel;
    ap_uint<CONFIG_T::n_levels> place = 0;

MultiThresholdLevels:
    for (int level = CONFIG_T::n_levels - 1; level >= 0; level--) {
        #pragma HLS UNROLL
        const unsigned half = 1u << level;
        if (x >= thresholds[row * (CONFIG_T::table_size - 1) + place.to_uint() + half - 1])
            place += half;
    }
    return values[row * CONFIG_T::table_size + place.to_uint()];
}

template <class data_T, class res_T, typename CONFIG_T>
void multi_threshold(data_T data[CONFIG_T::n_in], res_T res[CONFIG_T::n_in],
                     typename CONFIG_T::threshold_t thresholds[CONFIG_T::n_rows * (CONFIG_T::table_size - 1)],
                     typename CONFIG_T::value_t values[CONFIG_T::n_rows * CONFIG_T::table_size]) {
    #pragma HLS function_instantiate variable=thresholds,values
    #pragma HLS ARRAY_PARTITION variable=thresholds complete
    #pragma HLS ARRAY_PARTITION variable=values complete
    #pragma HLS PIPELINE

    for (unsigned ii = 0; ii < CONFIG_T::n_in; ii++) {
        #pragma HLS UNROLL
        res[ii] = (res_T)multi_threshold_value<data_T, CONFIG_T>(data[ii], ii % CONFIG_T::n_filt, thresholds, values);
    }
}

template <class data_T, class res_T, typename CONFIG_T>
void multi_threshold(hls::stream<data_T> &data, hls::stream<res_T> &res,
                     typename CONFIG_T::threshold_t thresholds[CONFIG_T::n_rows * (CONFIG_T::table_size - 1)],
                     typename CONFIG_T::value_t values[CONFIG_T::n_rows * CONFIG_T::table_size]) {
    #pragma HLS function_instantiate variable=thresholds,values
    #pragma HLS ARRAY_PARTITION variable=thresholds complete
    #pragma HLS ARRAY_PARTITION variable=values complete

MultiThresholdActLoop:
    for (unsigned i = 0; i < CONFIG_T::n_in / res_T::size; i++) {
        #pragma HLS PIPELINE

        data_T in_data = data.read();
        res_T out_data;
        PRAGMA_DATA_PACK(out_data)

    MultiThresholdPackLoop:
        for (unsigned j = 0; j < res_T::size; j++) {
            #pragma HLS UNROLL
            out_data[j] = (typename res_T::value_type)multi_threshold_value<typename data_T::value_type, CONFIG_T>(
                in_data[j], (i * res_T::size + j) % CONFIG_T::n_filt, thresholds, values);
        }

        res.write(out_data);
    }
}

} // namespace nnet

#endif
