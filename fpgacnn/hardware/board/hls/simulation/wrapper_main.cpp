// Sends beats through the wrapper, with random pauses on both sides. Arguments: events, beats, input file, output file, seed
// of the pauses (0: none), and "memory" for the memory-mapped kernel, which takes whole frames.
// A beat is two little-endian numbers of 64 bits: its data; and TLAST in bit 0, TKEEP from bit 8 on.
#include "fpgacnn_wrapper_simulated.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

namespace {

using fpgacnn_axi::packet;
const std::size_t PLACES = 2; // of the streams at both ends

void give_up(const char *what) {
    std::perror(what);
    std::exit(3);
}

// Let other processes run for a while.
void pause_randomly(std::mt19937 &random, bool pausing) {
    if (!pausing)
        return;
    for (unsigned turns = random() % 4 == 0 ? random() % 12 : 0; turns > 0; turns--) {
        auto &all = fpgacnn_bounded::scheduler();
        fpgacnn_bounded::Process *self = all.running;
        all.ready.push_back(self);
        swapcontext(&self->context, &all.home);
    }
}

packet read_beat(std::FILE *file) {
    unsigned long long numbers[2];
    if (std::fread(numbers, sizeof numbers, 1, file) != 1)
        give_up("beats cut short");
    packet word;
    word.data = numbers[0];
    word.last = numbers[1] & 1;
    word.keep = numbers[1] >> 8;
    word.strb = word.keep;
    return word;
}

void write_beat(std::FILE *file, const packet &word) {
    const unsigned long long numbers[2] = {word.data.to_uint64(), word.last.to_uint64() | word.keep.to_uint64() << 8};
    if (std::fwrite(numbers, sizeof numbers, 1, file) != 1)
        give_up("cannot write results");
}

} // namespace

int main(int count, char **arguments) {
    if (count != 7)
        return 2;
    const long events = std::atol(arguments[1]), beats = std::atol(arguments[2]);
    const unsigned seed = std::strtoul(arguments[5], nullptr, 10);
    std::FILE *in = std::fopen(arguments[3], "rb"), *out = std::fopen(arguments[4], "wb");
    if (!in || !out)
        give_up("cannot open the files of beats");
    if (std::strcmp(arguments[6], "memory") == 0) {
        std::vector<fpgacnn_memory_word> given(beats), taken(events * FPGACNN_WORDS_OUT);
        for (fpgacnn_memory_word &word : given)
            word = read_beat(in).data;
        fpgacnn_memory(given.data(), taken.data(), events);
        for (std::size_t place = 0; place < taken.size(); place++) {
            packet word;
            word.data = taken[place];
            word.keep = -1;
            word.last = place + 1 == taken.size();
            write_beat(out, word);
        }
    } else {
        hls::stream<packet> given("in_stream"), taken("out_stream");
        given.places = taken.places = PLACES;
        std::mt19937 sending(seed), receiving(seed + 1);
        long sent = 0;
        fpgacnn_bounded::scheduler().frames = events;
        fpgacnn_bounded::process("source", 0, [&] {
            for (; sent < beats; sent++) { // everything in the first of its turns
                pause_randomly(sending, seed != 0);
                given.write(read_beat(in));
            }
        });
        fpgacnn_bounded::process("sink", 0, [&] {
            for (long beat = 0; beat < FPGACNN_WORDS_OUT; beat++) {
                pause_randomly(receiving, seed != 0);
                write_beat(out, taken.read());
            }
        });
        fpgacnn_axis_processes(given, taken);
        if (!given.empty() || !taken.empty())
            return 6;
    }
    if (std::fclose(out) != 0)
        give_up("cannot write results");
    return 0;
}
