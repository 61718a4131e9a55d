// Sends beats through the wrapper of an RTL network, with random pauses on both sides, a few of them long. Arguments: beats,
// words of the answers, input file, output file, seed of the pauses (0: none), clocks without any beat and without a pause after
// which the wrapper counts as stopped.
// A beat is two little-endian numbers of 64 bits: its data; and TLAST in bit 0, TKEEP from bit 8 on.
#include "Vtop.h"
#include "verilated.h"
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace {

const int STOPPED = 4, LEFT_OVER = 6;

void give_up(const char *what) {
    std::perror(what);
    std::exit(3);
}

const unsigned LONG_PAUSES = 64, LONGEST = 3000;

// A side of the wrapper: after a beat, it pauses now and then; about LONG_PAUSES times it pauses for up to LONGEST clocks.
struct Side {
    std::mt19937 random;
    bool pausing;
    unsigned long long beats;
    unsigned pause = 0;
    bool waits() { return pause > 0 && pause-- > 0; }
    void had_a_beat() {
        if (!pausing)
            return;
        if (random() % (beats / LONG_PAUSES + 1) == 0)
            pause = random() % LONGEST;
        else if (random() % 4 == 0)
            pause = random() % 12;
    }
};

} // namespace

int main(int count, char **arguments) {
    if (count != 7)
        return 2;
    const unsigned long long beats = std::strtoull(arguments[1], nullptr, 10);
    const unsigned long long answers = std::strtoull(arguments[2], nullptr, 10);
    const unsigned seed = std::strtoul(arguments[5], nullptr, 10);
    const unsigned long long most = std::strtoull(arguments[6], nullptr, 10);
    std::FILE *in = std::fopen(arguments[3], "rb"), *out = std::fopen(arguments[4], "wb");
    if (!in || !out)
        give_up("cannot open the files of beats");
    Side sending{std::mt19937(seed), seed != 0, beats}, receiving{std::mt19937(seed + 1), seed != 0, answers};
    Verilated::randReset(2);
    Verilated::randSeed(seed + 1);
    Vtop *top = new Vtop;
    auto clock = [top] {
        top->ap_clk = 0;
        top->eval();
        top->ap_clk = 1;
        top->eval();
    };
    top->ap_rst_n = 0;
    top->in_stream_TVALID = 0;
    top->out_stream_TREADY = 0;
    for (int place = 0; place < 8; place++)
        clock();
    top->ap_rst_n = 1;
    unsigned long long taken = 0, given = 0, idle = 0;
    bool offered = false;
    while (taken < beats || given < answers || idle < most) {
        if (idle >= most) {
            std::printf("%llu of %llu words were taken, %llu of %llu given\n", taken, beats, given, answers);
            std::fflush(stdout);
            return STOPPED;
        }
        if (!offered && taken < beats && !sending.waits()) {
            unsigned long long numbers[2];
            if (std::fread(numbers, sizeof numbers, 1, in) != 1)
                give_up("beats cut short");
            top->in_stream_TDATA = numbers[0];
            top->in_stream_TLAST = numbers[1] & 1;
            top->in_stream_TKEEP = numbers[1] >> 8;
            top->in_stream_TSTRB = numbers[1] >> 8;
            offered = true;
        }
        top->in_stream_TVALID = offered;
        top->out_stream_TREADY = !receiving.waits();
        top->ap_clk = 0;
        top->eval();
        idle += (taken == beats || sending.pause == 0) && receiving.pause == 0;
        if (offered && top->in_stream_TREADY) {
            offered = false;
            taken++;
            idle = 0;
            sending.had_a_beat();
        }
        if (top->out_stream_TVALID && top->out_stream_TREADY) {
            if (given == answers)
                return LEFT_OVER;
            const unsigned long long data = top->out_stream_TDATA, keep = top->out_stream_TKEEP;
            const unsigned long long numbers[2] = {data, (top->out_stream_TLAST & 1) | keep << 8};
            if (std::fwrite(numbers, sizeof numbers, 1, out) != 1)
                give_up("cannot write results");
            given++;
            idle = 0;
            receiving.had_a_beat();
        }
        top->ap_clk = 1;
        top->eval();
    }
    top->final();
    if (std::fclose(out) != 0)
        give_up("cannot write results");
    return 0;
}
