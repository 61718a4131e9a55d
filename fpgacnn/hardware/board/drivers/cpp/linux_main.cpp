// Linux: self-test and benchmark, or answers to a file of numbers. Registers through UIO (/dev/uioN) or /dev/mem, buffers
// through u-dma-buf (https://github.com/ikwzm/udmabuf), which gives memory that the DMA can reach. Needs root.
//
//   cmake -S . -B build && cmake --build build
//   sudo ./build/fpgacnn_board self-test
//   sudo ./build/fpgacnn_board benchmark
//   sudo ./build/fpgacnn_board predict numbers.f64 codes.i64      # little-endian doubles of all inputs, 64-bit codes
#include "fpgacnn_board.hpp"
#include "fpgacnn_design.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <sys/mman.h>
#include <unistd.h>

namespace {

using fpgacnn::Buffer;
using fpgacnn::Problem;

void give_up(const std::string &why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    std::exit(1);
}

std::string environment(const char *name, const char *usual) {
    const char *value = std::getenv(name);
    return value && *value ? value : usual;
}

void *mapped(const std::string &file, std::size_t bytes, off_t offset) {
    const int opened = open(file.c_str(), O_RDWR | O_SYNC);
    if (opened < 0)
        give_up("cannot open " + file + ": run as root, and load the driver that makes this file");
    void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, opened, offset);
    close(opened);
    if (memory == MAP_FAILED)
        give_up("cannot map " + file);
    return memory;
}

std::uint64_t number_in(const std::string &file) {
    std::ifstream stream(file);
    std::string text;
    if (!(stream >> text))
        give_up("cannot read " + file + ": load the module, for example: modprobe u-dma-buf udmabuf0=4194304");
    return std::strtoull(text.c_str(), nullptr, 0);
}

struct Linux {
    volatile std::uint32_t *registers;
    Buffer given, taken;

    Linux() {
        const std::string uio = environment("FPGACNN_UIO", "");
        const off_t address = uio.empty() ? off_t(fpgacnn::Design::dma_address) : 0;
        registers = static_cast<volatile std::uint32_t *>(mapped(uio.empty() ? "/dev/mem" : uio, 65536, address));
        const std::string name = environment("FPGACNN_UDMABUF", "udmabuf0");
        const std::string about = "/sys/class/u-dma-buf/" + name;
        const std::size_t bytes = number_in(about + "/size") / 2;
        given.memory = mapped("/dev/" + name, 2 * bytes, 0);
        given.address = number_in(about + "/phys_addr");
        given.bytes = taken.bytes = std::min<std::size_t>(bytes, (std::size_t(1) << fpgacnn::Design::length_bits) - 1);
        taken.memory = static_cast<unsigned char *>(given.memory) + bytes;
        taken.address = given.address + bytes;
    }

    std::uint32_t read(std::uint32_t offset) { return registers[offset / 4]; }
    void write(std::uint32_t offset, std::uint32_t value) { registers[offset / 4] = value; }
    void to_device(const Buffer &, std::size_t) { __sync_synchronize(); }   // opened with O_SYNC: not cached
    void from_device(const Buffer &, std::size_t) { __sync_synchronize(); }
    double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    }
};

std::vector<unsigned char> content(const std::string &file) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream)
        give_up("cannot read " + file);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

} // namespace

int main(int count, char **arguments) {
    typedef fpgacnn::Design Design;
    const std::string command = count > 1 ? arguments[1] : "";
    if (command != "self-test" && command != "benchmark" && !(command == "predict" && count == 4))
        give_up("usage: fpgacnn_board self-test | benchmark | predict NUMBERS CODES");
    std::vector<unsigned char> vectors;
    const std::size_t both = Design::event_bytes + Design::answer_bytes - 8;
    if (command != "predict") {
        vectors = content(environment("FPGACNN_VECTORS", "vectors.bin"));
        if (vectors.empty() || vectors.size() % both)
            give_up("the file of golden vectors is empty or cut short");
    }
    const std::size_t events = vectors.size() / both;
    Linux platform;
    fpgacnn::Network<Linux, Design> network(platform);
    Problem found = network.open();
    if (!found.empty())
        give_up(found);
    if (command == "predict") {
        const std::vector<unsigned char> raw = content(arguments[2]);
        const std::size_t event = Design::numbers_in * sizeof(double), events = raw.size() / event;
        if (raw.size() % event)
            give_up("the file holds no whole number of events");
        std::vector<double> numbers(events * Design::numbers_in);
        std::memcpy(numbers.data(), raw.data(), raw.size());
        std::vector<std::int64_t> codes(events * Design::numbers_out);
        found = network.predict(numbers.data(), codes.data(), events);
        if (!found.empty())
            give_up(found);
        std::ofstream out(arguments[3], std::ios::binary);
        out.write(reinterpret_cast<const char *>(codes.data()), std::streamsize(codes.size() * sizeof(codes[0])));
        out.flush();
        if (!out)
            give_up("cannot write the codes");
        return 0;
    }
    const unsigned char *wanted = vectors.data() + events * Design::event_bytes;
    found = network.self_test(vectors.data(), wanted, events);
    if (!found.empty())
        give_up(found);
    std::printf("self-test: every code of %zu events is as expected\n", events);
    if (command == "benchmark") {
        const std::size_t many = 10000;
        std::vector<unsigned char> sent(many * Design::event_bytes), got(many * Design::answer_bytes);
        for (std::size_t event = 0; event < many; event++)
            std::memcpy(&sent[event * Design::event_bytes], &vectors[event % events * Design::event_bytes], Design::event_bytes);
        double begin = platform.seconds();
        found = network.run(sent.data(), got.data(), many, 10.0);
        const double whole = platform.seconds() - begin;
        begin = platform.seconds();
        if (found.empty())
            found = network.run(sent.data(), got.data(), 1, 10.0);
        if (!found.empty())
            give_up(found);
        std::printf("%.0f events/s in frames of %zu; %.1f us for one event\n", double(many) / whole, network.batch(),
                    1e6 * (platform.seconds() - begin));
    }
    return 0;
}
