// Bare metal (Vitis, standalone): self-test over the serial console. Create an application for the platform of fpgacnn.xsa,
// add this folder, and take a stack and heap of at least 1 MiB in the linker script.
#include "fpgacnn_board.hpp"
#include "fpgacnn_design.hpp"
#include "fpgacnn_vectors.hpp"

#include "xil_cache.h"
#include "xil_io.h"
#include "xil_printf.h"
#include "xtime_l.h"

namespace {

using fpgacnn::Buffer;

const std::size_t BYTES = 1 << 18;
alignas(64) unsigned char given_memory[BYTES], taken_memory[BYTES]; // whole cache lines

struct Standalone {
    Buffer given{given_memory, std::uint64_t(std::uintptr_t(given_memory)), BYTES};
    Buffer taken{taken_memory, std::uint64_t(std::uintptr_t(taken_memory)), BYTES};

    std::uint32_t read(std::uint32_t offset) { return Xil_In32(fpgacnn::Design::dma_address + offset); }
    void write(std::uint32_t offset, std::uint32_t value) { Xil_Out32(fpgacnn::Design::dma_address + offset, value); }
    void to_device(const Buffer &buffer, std::size_t bytes) {
        Xil_DCacheFlushRange(INTPTR(std::uintptr_t(buffer.memory)), bytes);
        Xil_DCacheFlushRange(INTPTR(std::uintptr_t(taken.memory)), BYTES); // no line is written back over an answer
    }
    void from_device(const Buffer &buffer, std::size_t bytes) {
        Xil_DCacheInvalidateRange(INTPTR(std::uintptr_t(buffer.memory)), bytes);
    }
    double seconds() const {
        XTime now;
        XTime_GetTime(&now);
        return double(now) / double(COUNTS_PER_SECOND);
    }
};

} // namespace

int main() {
    Standalone platform;
    fpgacnn::Network<Standalone, fpgacnn::Design> network(platform);
    fpgacnn::Problem found = network.open();
    if (found.empty())
        found = network.self_test(fpgacnn_vectors_events, fpgacnn_vectors_answers, fpgacnn_vectors_count);
    if (found.empty())
        xil_printf("self-test: every code of %d events is as expected\r\n", int(fpgacnn_vectors_count));
    else
        xil_printf("%s\r\n", found.c_str());
    return found.empty() ? 0 : 1;
}
