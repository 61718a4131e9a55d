// Run a network on its board from C++17: numbers in, codes and values out, through an AXI DMA in direct register mode.
// fpgacnn copies this file beside fpgacnn_design.hpp, which describes the words of an event.
//
// A platform has: uint32_t read(uint32_t offset), void write(uint32_t offset, uint32_t value): registers of the DMA;
// double seconds(): a clock that only goes forward; and two buffers, given and taken, of type Buffer.
#ifndef FPGACNN_BOARD_HPP_
#define FPGACNN_BOARD_HPP_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace fpgacnn {

enum class Rounding { TRN, TRN_ZERO, RND, RND_ZERO, RND_INF, RND_MIN_INF, RND_CONV };
enum class Overflow { WRAP, SAT, SAT_ZERO, SAT_SYM };
enum class Element { REAL, FLOAT16, BFLOAT16, WHOLE };

// One input or output; see docs/board.md. low and high: of the element type, where it is WHOLE.
struct Port {
    unsigned width;
    int fraction;
    bool is_signed;
    Rounding rounding;
    Overflow overflow;
    Element element;
    double low, high;
    bool exact; // numbers that the format does not have are refused
    unsigned groups, channels, padded, lane_bits, words;

    std::int64_t least() const {
        return is_signed ? -(std::int64_t(1) << (width - 1)) + (overflow == Overflow::SAT_SYM ? 1 : 0) : 0;
    }
    std::int64_t most() const { return (std::int64_t(1) << (width - (is_signed ? 1 : 0))) - 1; }
    unsigned count() const { return groups * channels; }
};

struct Buffer {
    void *memory = nullptr;      // as the processor sees it
    std::uint64_t address = 0;   // as the DMA sees it
    std::size_t bytes = 0;
};

// An answer of every call: empty if it went well.
typedef std::string Problem;

// --- numbers and codes ---------------------------------------------------------------------------------------------------

inline std::int64_t rounded(Rounding rounding, std::int64_t quarters) {
    const std::int64_t floor = quarters >> 2, half = quarters >> 1 & 1, below = quarters & 1;
    const std::int64_t negative = quarters < 0;
    switch (rounding) {
    case Rounding::TRN:
        return floor;
    case Rounding::TRN_ZERO:
        return floor + (negative & (half | below));
    case Rounding::RND:
        return floor + half;
    case Rounding::RND_ZERO:
        return floor + (half & (negative | below));
    case Rounding::RND_INF:
        return floor + (half & ((1 - negative) | below));
    case Rounding::RND_MIN_INF:
        return floor + (half & below);
    case Rounding::RND_CONV:
        return floor + (half & ((floor & 1) | below));
    }
    return floor;
}

// A number as the model file's element type stores it; false if it cannot.
inline bool stored(const Port &port, double &value) {
    if (!std::isfinite(value))
        return false;
    switch (port.element) {
    case Element::REAL:
        return true;
    case Element::WHOLE:
        return value == std::floor(value) && value >= port.low && value <= port.high;
    case Element::FLOAT16: { // 11 significant bits, multiples of 2^-24, below 65520
        int exponent;
        std::frexp(value, &exponent);
        const int last = exponent - 11 > -24 ? exponent - 11 : -24;
        value = std::ldexp(std::nearbyint(std::ldexp(value, -last)), last);
        return std::fabs(value) < 65520.0;
    }
    case Element::BFLOAT16: {
        int exponent;
        const double mantissa = std::frexp(value, &exponent);
        value = std::ldexp(std::nearbyint(std::ldexp(mantissa, 8)), exponent - 8);
        return true;
    }
    }
    return false;
}

// The code of a number: rounded, then limited, exactly as fpgacnn does. False: the input cannot take the number.
inline bool quantized(const Port &port, double value, std::int64_t &code) {
    if (!stored(port, value))
        return false;
    if (port.exact) {
        const double scaled = std::ldexp(value, port.fraction);
        if (scaled != std::floor(scaled) || scaled < double(port.least()) || scaled > double(port.most()))
            return false;
    }
    int exponent;
    const double mantissa = std::frexp(value, &exponent);
    const std::int64_t digits = std::int64_t(std::ldexp(mantissa, 53));
    const int places = 53 - port.fraction - exponent;
    const int right = places < 0 ? 0 : places > 62 ? 62 : places;
    const std::int64_t wide = digits * 4, cut = wide >> right;
    code = rounded(port.rounding, cut | (cut * (std::int64_t(1) << right) != wide));
    if (places < 0) {
        const int left = -places > 62 ? 62 : -places;
        if (port.overflow == Overflow::WRAP) {
            code = -places > 62 ? 0 : std::int64_t(std::uint64_t(code) << left);
        } else {
            const std::int64_t beyond = std::int64_t(1) << (62 - left);
            code = (code > beyond ? beyond : code < -beyond ? -beyond : code) * (std::int64_t(1) << left);
        }
    }
    const std::int64_t least = port.least(), most = port.most();
    switch (port.overflow) {
    case Overflow::WRAP:
        code = std::int64_t(std::uint64_t(code) & ((std::uint64_t(1) << port.width) - 1));
        if (code > most)
            code -= std::int64_t(1) << port.width;
        break;
    case Overflow::SAT_ZERO:
        if (code < least || code > most)
            code = 0;
        break;
    case Overflow::SAT:
    case Overflow::SAT_SYM:
        code = code < least ? least : code > most ? most : code;
        break;
    }
    return true;
}

inline double value_of(const Port &port, std::int64_t code) { return std::ldexp(double(code), -port.fraction); }

// --- codes and bytes (a little-endian processor, as all of these are) ---------------------------------------------------------

inline void pack(const Port &port, const std::int64_t *codes, unsigned char *bytes, unsigned word_bytes) {
    std::memset(bytes, 0, std::size_t(port.words) * word_bytes);
    const unsigned lane = port.lane_bits / 8;
    for (unsigned group = 0; group < port.groups; group++)
        for (unsigned channel = 0; channel < port.channels; channel++)
            std::memcpy(bytes + std::size_t(group * port.padded + channel) * lane, &codes[group * port.channels + channel], lane);
}

inline void unpack(const Port &port, const unsigned char *bytes, std::int64_t *codes) {
    const unsigned lane = port.lane_bits / 8;
    for (unsigned group = 0; group < port.groups; group++)
        for (unsigned channel = 0; channel < port.channels; channel++) {
            std::uint64_t raw = 0;
            std::memcpy(&raw, bytes + std::size_t(group * port.padded + channel) * lane, lane);
            const unsigned empty = 64 - port.lane_bits;
            codes[group * port.channels + channel] = std::int64_t(raw << empty) >> empty;
        }
}

// --- the DMA -----------------------------------------------------------------------------------------------------------------

const std::uint32_t MM2S = 0x00, S2MM = 0x30; // PG021
const std::uint32_t CONTROL = 0x00, STATUS = 0x04, ADDRESS = 0x18, ADDRESS_HIGH = 0x1C, LENGTH = 0x28;
const std::uint32_t RUN = 1, RESET = 4, IDLE = 2, ERRORS = 0x70, INTERRUPTS = 0x7000;

inline std::string status_words(std::uint32_t status) {
    static const struct {
        std::uint32_t bit;
        const char *words;
    } known[] = {{1, "halted"},
                 {2, "idle"},
                 {0x10, "internal error (a frame is longer than its buffer, or its length is 0)"},
                 {0x20, "slave error (the memory answered with an error)"},
                 {0x40, "decode error (there is no memory at this address)"},
                 {0x1000, "transfer complete"}};
    char number[16];
    std::snprintf(number, sizeof number, "0x%08x:", unsigned(status));
    std::string found = number;
    for (const auto &one : known)
        if (status & one.bit)
            found += std::string(found.back() == ':' ? " " : ", ") + one.words;
    return found.back() == ':' ? found + " running" : found;
}

template <class Platform> class Dma {
    Platform &platform_;
    Buffer &given_, &taken_;

    std::string both() {
        return "DMA to the network " + status_words(platform_.read(MM2S + STATUS)) + "; DMA from the network " +
               status_words(platform_.read(S2MM + STATUS));
    }

    void start(std::uint32_t channel, const Buffer &buffer, std::size_t bytes) {
        platform_.write(channel + STATUS, INTERRUPTS);
        platform_.write(channel + ADDRESS, std::uint32_t(buffer.address));
        platform_.write(channel + ADDRESS_HIGH, std::uint32_t(buffer.address >> 32));
        platform_.write(channel + LENGTH, std::uint32_t(bytes)); // starts the transfer
    }

    Problem wait(std::uint32_t channel, const char *what, double seconds) {
        const double end = platform_.seconds() + seconds;
        for (;;) {
            const std::uint32_t status = platform_.read(channel + STATUS);
            if (status & ERRORS)
                return std::string(what) + " failed: " + both();
            if (status & IDLE)
                return "";
            if (platform_.seconds() > end)
                return std::string(what) + " took too long: " + both();
        }
    }

  public:
    Dma(Platform &platform, Buffer &given, Buffer &taken) : platform_(platform), given_(given), taken_(taken) {}

    Problem reset() {
        platform_.write(MM2S + CONTROL, RESET);
        const double end = platform_.seconds() + 0.1;
        while (platform_.read(MM2S + CONTROL) & RESET)
            if (platform_.seconds() > end)
                return "the DMA does not end its reset: is the bitstream of this folder loaded?";
        platform_.write(MM2S + CONTROL, RUN);
        platform_.write(S2MM + CONTROL, RUN);
        return "";
    }

    Problem exchange(std::size_t sent, std::size_t received, double seconds) {
        if (sent == 0 || received == 0 || sent > given_.bytes || received > taken_.bytes)
            return "the frame does not fit the buffers";
        platform_.to_device(given_, sent);
        start(S2MM, taken_, received);
        start(MM2S, given_, sent);
        Problem found = wait(MM2S, "sending", seconds);
        if (found.empty())
            found = wait(S2MM, "receiving", seconds);
        if (!found.empty())
            return found;
        if (platform_.read(S2MM + LENGTH) != received)
            return "the answer has " + std::to_string(platform_.read(S2MM + LENGTH)) + " bytes, not " +
                   std::to_string(received) + ": a frame was cut";
        platform_.from_device(taken_, received);
        return "";
    }

    // End the event that the network has begun with one event of zeros, and take the answers that wait.
    Problem recover(std::size_t event_bytes) {
        Problem found = reset();
        if (!found.empty())
            return found;
        std::memset(given_.memory, 0, event_bytes);
        platform_.to_device(given_, event_bytes);
        start(S2MM, taken_, taken_.bytes);
        start(MM2S, given_, event_bytes);
        found = wait(MM2S, "recovering", 1.0);
        if (!found.empty())
            return found;
        for (int frame = 0; frame < 1000 && wait(S2MM, "recovering", 0.05).empty(); frame++)
            start(S2MM, taken_, taken_.bytes);
        return reset();
    }
};

// --- the network -------------------------------------------------------------------------------------------------------------

// Design: what fpgacnn_design.hpp declares.
template <class Platform, class Design> class Network {
    Platform &platform_;
    Dma<Platform> dma_;
    bool damaged_ = false;

    Problem check(std::size_t event, std::uint64_t status) const {
        if (status >> 32 != Design::identity)
            return "it is of another design: load the bitstream of this folder";
        if (status & 1)
            return "TLAST came before its end";
        if (status & 0xFF)
            return "a word came without all of its bytes (TKEEP)";
        if ((status >> 16 & 0xFFFF) != (event & 0xFFFF))
            return "it belongs to another event: answers are mixed";
        return "";
    }

  public:
    explicit Network(Platform &platform) : platform_(platform), dma_(platform, platform.given, platform.taken) {}

    Problem open() { return dma_.reset(); }

    // Events of one frame.
    std::size_t batch() const {
        const std::size_t sent = platform_.given.bytes / Design::event_bytes, got = platform_.taken.bytes / Design::answer_bytes;
        const std::size_t most = sent < got ? sent : got;
        return most < 65536 ? most : 65536;
    }

    // Packed events to packed answers, in frames; the status of every answer is checked.
    Problem run(const unsigned char *events, unsigned char *answers, std::size_t count, double seconds) {
        if (batch() == 0)
            return "an event does not fit the buffers";
        for (std::size_t first = 0; first < count; first += batch()) {
            const std::size_t size = count - first < batch() ? count - first : batch();
            if (damaged_) {
                const Problem found = dma_.recover(Design::event_bytes);
                if (!found.empty())
                    return found;
            }
            damaged_ = true;
            std::memcpy(platform_.given.memory, events + first * Design::event_bytes, size * Design::event_bytes);
            Problem found = dma_.exchange(size * Design::event_bytes, size * Design::answer_bytes, seconds);
            if (!found.empty())
                return found;
            unsigned char *place = answers + first * Design::answer_bytes;
            std::memcpy(place, platform_.taken.memory, size * Design::answer_bytes);
            for (std::size_t event = 0; event < size; event++) {
                std::uint64_t status;
                std::memcpy(&status, place + (event + 1) * Design::answer_bytes - 8, 8);
                found = check(event, status);
                if (!found.empty())
                    return "the answer to event " + std::to_string(first + event) + ": " + found;
            }
            damaged_ = false;
        }
        return "";
    }

    // Numbers of all inputs, one event after the other, to codes of all outputs.
    Problem predict(const double *numbers, std::int64_t *codes, std::size_t count, double seconds = 2.0) {
        std::vector<unsigned char> events(count * Design::event_bytes), answers(count * Design::answer_bytes);
        std::vector<std::int64_t> some;
        for (std::size_t event = 0; event < count; event++) {
            unsigned char *place = events.data() + event * Design::event_bytes;
            for (const Port &port : Design::inputs) {
                some.resize(port.count());
                for (std::int64_t &code : some)
                    if (!quantized(port, *numbers++, code))
                        return "event " + std::to_string(event) + " has a number that its input cannot hold";
                pack(port, some.data(), place, Design::word_bytes);
                place += port.words * Design::word_bytes;
            }
        }
        const Problem found = run(events.data(), answers.data(), count, seconds);
        for (std::size_t event = 0; found.empty() && event < count; event++) {
            const unsigned char *place = answers.data() + event * Design::answer_bytes;
            for (const Port &port : Design::outputs) {
                unpack(port, place, codes);
                codes += port.count();
                place += port.words * Design::word_bytes;
            }
        }
        return found;
    }

    // Packed golden events and answers (without their status): every byte must be equal.
    Problem self_test(const unsigned char *events, const unsigned char *wanted, std::size_t count, double seconds = 2.0) {
        if (count == 0)
            return "there are no golden vectors";
        std::vector<unsigned char> answers(count * Design::answer_bytes);
        Problem found = run(events, answers.data(), count, seconds);
        for (std::size_t event = 0; found.empty() && event < count; event++)
            for (std::size_t byte = 0; byte + 8 < Design::answer_bytes; byte++)
                if (answers[event * Design::answer_bytes + byte] != wanted[event * (Design::answer_bytes - 8) + byte])
                    return "event " + std::to_string(event) + ": byte " + std::to_string(byte) +
                           " of the answer is not that of the golden vectors";
        return found;
    }
};

} // namespace fpgacnn

#endif
