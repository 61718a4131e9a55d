// Codes of a network to and from the words of AXI4-Streams. fpgacnn copies this file; wrapper.cpp names types and sizes.
//
// A word has lanes of 8, 16, 32 or 64 bits, the first one in its lowest bits. A lane holds a code with its sign extended; a
// lane that is wider than a word takes several words ("chunk": the bits of a word, or of such a lane). A group of values (a
// pixel, or a whole array) is padded to PADDED lanes: a divisor of the lanes of a chunk, or whole chunks.
//
// Frames: TLAST ends a frame of any number of events; the answer to its last event has TLAST too. If TLAST comes before an
// event is complete, the rest of the event is zero, and its status has SHORT. If a word comes without all of its bytes
// (TKEEP), its bits are taken as they are, and the status has PARTIAL. The next word after TLAST begins a new event, so a
// damaged frame does not shift the next one. After a reset the next word begins an event.
#ifndef FPGACNN_AXI_H_
#define FPGACNN_AXI_H_

#include "ap_axi_sdata.h"
#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"

namespace fpgacnn_axi {

const unsigned WORD = FPGACNN_WORD_BITS;
const unsigned STATUS = 64;
const unsigned SHORT = 1, PARTIAL = 2;

typedef ap_axiu<WORD, 0, 0, 0> packet;

// What the end of an event says: error bits, the event's number in its frame, and whether it ends the frame.
struct state {
    ap_uint<8> errors;
    ap_uint<16> number;
    bool last;
};

template <unsigned LANE> struct width {
    static const unsigned beats = LANE > WORD ? LANE / WORD : 1;
    static const unsigned chunk = beats * WORD;
    static const unsigned lanes = chunk / LANE;
};

// One chunk; zero for what is missing after TLAST.
template <unsigned LANE> ap_uint<width<LANE>::chunk> take(hls::stream<packet> &in, state &event) {
    #pragma HLS INLINE
    ap_uint<width<LANE>::chunk> chunk = 0;
    for (unsigned beat = 0; beat < width<LANE>::beats; beat++) {
        #pragma HLS UNROLL
        if (event.last) {
            event.errors |= SHORT;
        } else {
            packet word = in.read();
            chunk.range(beat * WORD + WORD - 1, beat * WORD) = word.data;
            if (word.keep != ap_uint<WORD / 8>(-1))
                event.errors |= PARTIAL;
            event.last = word.last;
        }
    }
    return chunk;
}

template <unsigned LANE> void give(hls::stream<packet> &out, ap_uint<width<LANE>::chunk> chunk, bool last) {
    #pragma HLS INLINE
    for (unsigned beat = 0; beat < width<LANE>::beats; beat++) {
        #pragma HLS UNROLL
        packet word;
        word.data = chunk.range(beat * WORD + WORD - 1, beat * WORD);
        word.keep = -1;
        word.strb = -1;
        word.last = last && beat + 1 == width<LANE>::beats;
        out.write(word);
    }
}

// The lowest bits of a lane as a value, whatever its binary point.
template <class V, unsigned LANE> V value_of(ap_uint<LANE> lane) {
    #pragma HLS INLINE
    V value;
    value.range(V::width - 1, 0) = lane.range(V::width - 1, 0);
    return value;
}

// The code of a value in a lane, with its sign extended.
template <class V, unsigned LANE> ap_uint<LANE> lane_of(V value) {
    #pragma HLS INLINE
    const bool negative = value < 0;
    ap_uint<LANE> lane = negative ? ap_uint<LANE>(-1) : ap_uint<LANE>(0);
    lane.range(V::width - 1, 0) = value.range(V::width - 1, 0);
    return lane;
}

// --- arrays: all values of an event enter the network together -----------------------------------------------------------

template <class V, unsigned LANE, unsigned COUNT>
void read_array(hls::stream<packet> &in, V values[COUNT], state &event) {
    const unsigned lanes = width<LANE>::lanes;
    for (unsigned first = 0; first < COUNT; first += lanes) {
        #pragma HLS PIPELINE
        ap_uint<width<LANE>::chunk> chunk = take<LANE>(in, event);
        for (unsigned lane = 0; lane < lanes; lane++) {
            #pragma HLS UNROLL
            if (first + lane < COUNT)
                values[first + lane] = value_of<V, LANE>(chunk.range(lane * LANE + LANE - 1, lane * LANE));
        }
    }
}

template <class V, unsigned LANE, unsigned COUNT> void write_array(V values[COUNT], hls::stream<packet> &out) {
    const unsigned lanes = width<LANE>::lanes;
    for (unsigned first = 0; first < COUNT; first += lanes) {
        #pragma HLS PIPELINE
        ap_uint<width<LANE>::chunk> chunk = 0;
        for (unsigned lane = 0; lane < lanes; lane++) {
            #pragma HLS UNROLL
            if (first + lane < COUNT)
                chunk.range(lane * LANE + LANE - 1, lane * LANE) = lane_of<V, LANE>(values[first + lane]);
        }
        give<LANE>(out, chunk, false);
    }
}

// --- streams: a pixel of T::size values enters the network at a time ------------------------------------------------------

template <class T, unsigned LANE, unsigned PADDED, unsigned GROUPS>
void read_stream(hls::stream<packet> &in, hls::stream<T> &pixels, state &event) {
    typedef typename T::value_type V;
    const unsigned lanes = width<LANE>::lanes;
    const unsigned groups = PADDED < lanes ? lanes / PADDED : 1; // of one chunk
    const unsigned chunks = PADDED > lanes ? PADDED / lanes : 1; // of one group
    ap_uint<width<LANE>::chunk> chunk = 0;
    T pixel;
    unsigned left = 0, part = 0;
    for (unsigned step = 0; step < GROUPS * chunks; step++) {
        #pragma HLS PIPELINE
        if (left == 0) {
            chunk = take<LANE>(in, event);
            left = groups;
        }
        for (unsigned lane = 0; lane < lanes; lane++) {
            #pragma HLS UNROLL
            if (part * lanes + lane < T::size)
                pixel[part * lanes + lane] = value_of<V, LANE>(chunk.range(lane * LANE + LANE - 1, lane * LANE));
        }
        if (groups > 1)
            chunk >>= PADDED * LANE;
        left--;
        if (part + 1 == chunks) {
            pixels.write(pixel);
            part = 0;
        } else {
            part++;
        }
    }
}

template <class T, unsigned LANE, unsigned PADDED, unsigned GROUPS>
void write_stream(hls::stream<T> &pixels, hls::stream<packet> &out) {
    typedef typename T::value_type V;
    const unsigned lanes = width<LANE>::lanes;
    const unsigned groups = PADDED < lanes ? lanes / PADDED : 1;
    const unsigned chunks = PADDED > lanes ? PADDED / lanes : 1;
    ap_uint<width<LANE>::chunk> chunk = 0;
    T pixel;
    unsigned filled = 0, part = 0;
    for (unsigned step = 0; step < GROUPS * chunks; step++) {
        #pragma HLS PIPELINE
        if (part == 0)
            pixel = pixels.read();
        ap_uint<width<LANE>::chunk> some = 0;
        for (unsigned lane = 0; lane < lanes; lane++) {
            #pragma HLS UNROLL
            if (part * lanes + lane < T::size)
                some.range(lane * LANE + LANE - 1, lane * LANE) = lane_of<V, LANE>(pixel[part * lanes + lane]);
        }
        if (groups > 1)
            some <<= filled * (PADDED * LANE);
        chunk |= some;
        filled++;
        part = part + 1 == chunks ? 0 : part + 1;
        if (filled == groups || step + 1 == GROUPS * chunks) {
            give<LANE>(out, chunk, false);
            chunk = 0;
            filled = 0;
        }
    }
}

// The end of an answer: errors in bits 7 to 0, the event's number in bits 31 to 16, the identity of the design in 63 to 32.
inline void write_status(hls::stream<packet> &out, const state &event, unsigned identity) {
    #pragma HLS INLINE
    ap_uint<STATUS> status = 0;
    status.range(7, 0) = event.errors;
    status.range(31, 16) = event.number;
    status.range(63, 32) = ap_uint<32>(identity);
    give<STATUS>(out, status, event.last);
}

} // namespace fpgacnn_axi

#endif
