// The C++ driver of boards on this machine: `codes` quantizes numbers of ports; `run` and `predict` use a DMA in memory, which
// answers golden events, with a fault that is the third argument.
#include "fpgacnn_board.hpp"
#include "fpgacnn_design.hpp"
#include "fpgacnn_vectors.hpp"

#include <cstdlib>
#include <iostream>
#include <map>

using namespace fpgacnn;

static std::vector<unsigned char> given_memory(4096), taken_memory(4096);

struct Fake {
    Buffer given{given_memory.data(), 0x10000000, given_memory.size()};
    Buffer taken{taken_memory.data(), 0x20000000, taken_memory.size()};
    std::string fault;
    std::map<std::uint32_t, std::uint32_t> registers;
    std::vector<unsigned char> pending, out;
    double now = 0;
    bool ended = false; // a whole frame of answers waits

    std::uint32_t read(std::uint32_t offset) { return registers[offset]; }
    double seconds() { return now += 0.001; }
    void to_device(const Buffer &, std::size_t) {}
    void from_device(const Buffer &, std::size_t) {}

    void write(std::uint32_t offset, std::uint32_t value) {
        if (offset == MM2S + CONTROL && value == RESET) {
            registers.clear();
            registers[MM2S + CONTROL] = fault == "dead" ? RESET : 0;
            return;
        }
        if (offset == MM2S + STATUS || offset == S2MM + STATUS)
            return;
        registers[offset] = value;
        if (offset == S2MM + LENGTH) {
            registers[S2MM + STATUS] = fault == "slave" ? 0x20 : 0;
            deliver();
        }
        if (offset == MM2S + LENGTH) {
            registers[MM2S + STATUS] = 0;
            if (fault == "stuck")
                return;
            std::size_t bytes = value;
            if (fault == "cut") {
                bytes -= Design::event_bytes;
                fault = "";
            }
            answer(static_cast<unsigned char *>(given.memory), bytes);
            registers[MM2S + STATUS] = IDLE;
            ended = true;
            deliver();
        }
    }

    void answer(const unsigned char *events, std::size_t bytes) {
        for (std::size_t place = 0, number = 0; place < bytes; place += Design::event_bytes, number++) {
            std::vector<unsigned char> found(Design::answer_bytes - 8, 0); // of an event that is not golden: zeros
            for (std::size_t one = 0; one < fpgacnn_vectors_count; one++)
                if (!std::memcmp(events + place, fpgacnn_vectors_events + one * Design::event_bytes, Design::event_bytes))
                    found.assign(fpgacnn_vectors_answers + one * (Design::answer_bytes - 8),
                                 fpgacnn_vectors_answers + (one + 1) * (Design::answer_bytes - 8));
            if (fault == "wrong")
                found[0] ^= 1;
            std::uint64_t status = (fault == "other" ? 1 : Design::identity) << 32 | std::uint64_t(number) << 16;
            status |= fault == "short" ? 1 : 0;
            out.insert(out.end(), found.begin(), found.end());
            for (int byte = 0; byte < 8; byte++)
                out.push_back(static_cast<unsigned char>(status >> 8 * byte));
        }
    }

    void deliver() {
        if (!ended || registers[S2MM + LENGTH] == 0 || registers[S2MM + STATUS])
            return;
        std::memcpy(taken.memory, out.data(), out.size());
        registers[S2MM + LENGTH] = std::uint32_t(out.size());
        registers[S2MM + STATUS] = IDLE;
        out.clear();
        ended = false;
    }
};

static int codes() { // width fraction signed rounding overflow element low high exact value
    int width, fraction, sign, rounding, overflow, element, exact;
    double low, high, value;
    while (std::cin >> width >> fraction >> sign >> rounding >> overflow >> element >> low >> high >> exact >> value) {
        const Port port = {unsigned(width), fraction, sign != 0, Rounding(rounding), Overflow(overflow), Element(element),
                           low, high, exact != 0, 1, 1, 1, 64, 1};
        std::int64_t code = 0;
        if (quantized(port, value, code))
            std::cout << code << "\n";
        else
            std::cout << "refused\n";
    }
    return 0;
}

int main(int count, char **arguments) {
    const std::string command = arguments[1];
    if (command == "codes")
        return codes();
    Fake fake;
    Network<Fake, Design> network(fake);
    fake.fault = count > 2 ? arguments[2] : "";
    Problem found = network.open();
    if (found.empty() && command == "none")
        found = network.self_test(fpgacnn_vectors_events, fpgacnn_vectors_answers, 0);
    if (found.empty() && command == "run") {
        found = network.self_test(fpgacnn_vectors_events, fpgacnn_vectors_answers, fpgacnn_vectors_count, 0.05);
        if (!found.empty()) { // the next call is right
            fake.fault = "";
            fake.registers[S2MM + STATUS] = 0;
            const Problem after =
                network.self_test(fpgacnn_vectors_events, fpgacnn_vectors_answers, fpgacnn_vectors_count, 0.05);
            std::cout << (after.empty() ? "recovered\n" : "then " + after + "\n");
        }
    }
    if (found.empty() && command == "predict") {
        std::vector<double> numbers(fpgacnn_vectors_count * Design::numbers_in);
        for (double &one : numbers)
            std::cin >> one;
        std::vector<std::int64_t> codes(fpgacnn_vectors_count * Design::numbers_out);
        found = network.predict(numbers.data(), codes.data(), fpgacnn_vectors_count);
        for (std::int64_t code : codes)
            std::cout << code << "\n";
    }
    std::cout << (found.empty() ? "well" : found) << "\n";
    return 0;
}
