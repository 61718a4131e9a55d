// Stands in for the vendor's header in C simulation with g++: the fields of ap_axiu that the wrapper uses.
#ifndef FPGACNN_SIMULATED_AP_AXI_SDATA_H_
#define FPGACNN_SIMULATED_AP_AXI_SDATA_H_

#include "ap_int.h"

template <int D, int U, int I, int T> struct ap_axiu {
    static_assert(U == 0 && I == 0 && T == 0, "streams of fpgacnn have no TUSER, TID and TDEST");
    ap_uint<D> data = 0;
    ap_uint<D / 8> keep = 0, strb = 0;
    ap_uint<1> last = 0;
};

#endif
