// hls::stream with a limited number of places, and a scheduler for the processes of a dataflow region.
//
// fpgacnn compiles the code of streamed designs with this header in place of the one in ap_types. Outside of processes a
// stream is a queue without an end. In the top function of processes, every call of a template is a process
// with a stack of its own (ucontext). It runs until it reads from an empty stream or writes to a full one; then another
// process runs. The order of values on every stream does not depend on the order in which processes run, so one run
// shows for every order whether the processes end, or wait for each other for ever.
//
// A process may hold results back: what it writes appears only after it has read `held` more words of its first stream,
// or at the end of a frame. So behaves a pipeline that stalls as a whole while it waits for a word.
#ifndef X_HLS_STREAM_SIM_H
#define X_HLS_STREAM_SIM_H

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

namespace fpgacnn_bounded {

struct Process;

struct Fifo {
    std::string name;
    std::size_t places = SIZE_MAX;
    Process *waiting = nullptr;
};

struct Process {
    std::string name;
    std::size_t held;
    std::function<void()> frame;
    ucontext_t context;
    bool ended = false, full = false;
    Fifo *waits = nullptr;
    const Fifo *first = nullptr; // the stream whose words are counted
    std::size_t words = 0;
    struct Result {
        std::size_t word;
        std::function<void()> write;
    };
    std::deque<Result> results;
};

struct Scheduler {
    std::vector<std::unique_ptr<Process>> processes;
    std::deque<Process *> ready;
    Process *running = nullptr;
    ucontext_t home;
    long frames = 1;
    bool holds = false;
};

inline Scheduler &scheduler() {
    static Scheduler one;
    return one;
}

inline void wake(Fifo &fifo) {
    if (fifo.waiting) {
        scheduler().ready.push_back(fifo.waiting);
        fifo.waiting = nullptr;
    }
}

inline void wait(Fifo &fifo, bool full) {
    Process *self = scheduler().running;
    if (!self) { // hls4ml's own function, one call after the other
        std::fprintf(stderr, "the stream '%s' is read while it is empty\n", fifo.name.c_str());
        std::exit(5);
    }
    self->waits = &fifo;
    self->full = full;
    fifo.waiting = self;
    swapcontext(&self->context, &scheduler().home);
    self->waits = nullptr;
}

// Let appear what the running process has held back for long enough; all of it at the end of a frame.
inline void release(bool all) {
    Process *self = scheduler().running;
    while (!self->results.empty() && (all || self->results.front().word + self->held <= self->words)) {
        std::function<void()> write = std::move(self->results.front().write);
        self->results.pop_front();
        write();
    }
}

inline void body() {
    Process *self = scheduler().running;
    for (long frame = 0; frame < scheduler().frames; frame++) {
        self->frame();
        release(true);
    }
    self->ended = true;
    swapcontext(&self->context, &scheduler().home);
}

inline void process(const char *name, std::size_t held, std::function<void()> frame) {
    const std::size_t stack = std::size_t(1) << 26; // addresses only: pages are taken when they are used
    scheduler().processes.emplace_back(new Process);
    Process &made = *scheduler().processes.back();
    made.name = name;
    made.held = scheduler().holds ? held : 0;
    made.frame = std::move(frame);
    void *memory = mmap(nullptr, stack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || getcontext(&made.context)) {
        std::perror("no stack for a process");
        std::exit(3);
    }
    made.context.uc_stack.ss_sp = memory;
    made.context.uc_stack.ss_size = stack;
    made.context.uc_link = nullptr;
    makecontext(&made.context, body, 0);
    scheduler().ready.push_back(&made);
}

// Run all processes to their end. Where they wait for each other, say who waits for what, and end the program.
inline void run() {
    while (!scheduler().ready.empty()) {
        Process *next = scheduler().ready.front();
        scheduler().ready.pop_front();
        scheduler().running = next;
        swapcontext(&scheduler().home, &next->context);
        scheduler().running = nullptr;
    }
    bool stuck = false;
    for (const auto &one : scheduler().processes)
        if (!one->ended) {
            std::printf("waits\t%s\t%s\t%s\n", one->name.c_str(), one->full ? "full" : "empty", one->waits->name.c_str());
            stuck = true;
        }
    std::fflush(stdout);
    if (stuck)
        std::_Exit(4);
}

} // namespace fpgacnn_bounded

namespace hls {

template <typename T> class stream : public fpgacnn_bounded::Fifo {
    std::deque<T> words_;

    void put(const T &word) {
        while (words_.size() >= places)
            fpgacnn_bounded::wait(*this, true);
        words_.push_back(word);
        fpgacnn_bounded::wake(*this);
    }

  public:
    stream() { name = "?"; }
    explicit stream(const std::string &title) { name = title; }
    ~stream() {
        if (!words_.empty())
            std::printf("the stream '%s' contains leftover data\n", name.c_str());
    }
    stream(const stream &) = delete;
    stream &operator=(const stream &) = delete;

    bool empty() const { return words_.empty(); }
    bool full() const { return words_.size() >= places; }
    std::size_t size() const { return words_.size(); }

    void write(const T &word) {
        fpgacnn_bounded::Process *self = fpgacnn_bounded::scheduler().running;
        if (self && self->held && places != SIZE_MAX)
            self->results.push_back({self->words, [this, word] { put(word); }});
        else
            put(word);
    }

    T read() {
        while (words_.empty())
            fpgacnn_bounded::wait(*this, false);
        T word = words_.front();
        words_.pop_front();
        fpgacnn_bounded::wake(*this);
        fpgacnn_bounded::Process *self = fpgacnn_bounded::scheduler().running;
        if (self && self->held) {
            if (!self->first)
                self->first = this;
            if (self->first == this) {
                self->words++;
                fpgacnn_bounded::release(false);
            }
        }
        return word;
    }

    void read(T &word) { word = read(); }
    void operator>>(T &word) { word = read(); }
    void operator<<(const T &word) { write(word); }
};

} // namespace hls

#endif
