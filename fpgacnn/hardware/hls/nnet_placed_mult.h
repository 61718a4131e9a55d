#ifndef NNET_PLACED_MULT_H_
#define NNET_PLACED_MULT_H_

// Written by fpgacnn: products whose multipliers are DSP slices (mult_dsp) or LUTs (mult_lut).
// A configuration names one of them as its `product`, in the place of nnet::product::mult.

#include "nnet_mult.h"

namespace nnet {

namespace product {

template <class x_T, class w_T> class mult_dsp : public Product {
  public:
    static auto product(x_T a, w_T w) -> decltype(a * w) {
        #pragma HLS INLINE
        auto result = a * w;
        #pragma HLS BIND_OP variable=result op=mul impl=dsp
        return result;
    }
};

template <class x_T, class w_T> class mult_lut : public Product {
  public:
    static auto product(x_T a, w_T w) -> decltype(a * w) {
        #pragma HLS INLINE
        auto result = a * w;
        #pragma HLS BIND_OP variable=result op=mul impl=fabric
        return result;
    }
};

} // namespace product

} // namespace nnet

#endif
