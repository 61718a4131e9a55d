/* The token simulation of `simulate.py`, compiled: the same loops, the same answers (tests/unit/hardware/estimation/test_dataflow.py). */
#include <stdint.h>
#include <stdlib.h>

struct network {
    int64_t processes, channels, frames, gap;
    const int64_t *first;   /* [processes + 1] places in the arrays of events */
    const int64_t *cycle;   /* [events] */
    const int64_t *channel; /* [events] */
    const uint8_t *write;   /* [events] */
    const int64_t *length;  /* [processes] */
    const int64_t *depth;   /* [channels], -1: without an end */
    const int64_t *latency; /* [channels] cycles from a write to the first read */
    const int64_t *writer, *reader; /* [channels] */
    const int64_t *base;    /* [channels] places in the times */
    int64_t *written, *taken;       /* [words of all frames] times */
    int64_t *writes, *reads;        /* [channels] so far */
    int64_t *started, *done;        /* [processes * frames] */
    int64_t *wait;                  /* [processes] 1 + channel that the process waits for, 0: none */
};

/* 0: every frame is done; 1: processes wait for each other; 2: no memory. */
int32_t fpgacnn_simulate(struct network *n)
{
    const int64_t processes = n->processes;
    int64_t *state = calloc(processes * 4, sizeof *state), *queue = malloc((processes + 1) * sizeof *queue);
    uint8_t *queued = malloc(processes);
    if (!state || !queue || !queued) {
        free(state), free(queue), free(queued);
        return 2;
    }
    int64_t head = 0, waiting = processes, left = processes;
    for (int64_t p = 0; p < processes; p++)
        queue[p] = p, queued[p] = 1, n->wait[p] = 0;
    while (waiting) {
        const int64_t p = queue[head];
        head = head + 1 == processes ? 0 : head + 1, waiting--, queued[p] = 0;
        int64_t frame = state[4 * p], event = state[4 * p + 1], now = state[4 * p + 2], own = state[4 * p + 3];
        const int64_t begin = n->first[p], end = n->first[p + 1];
        n->wait[p] = 0;
        while (frame < n->frames) {
            if (begin + event == end) {
                now += n->length[p] - own;
                n->done[p * n->frames + frame] = now;
                frame++, event = 0, own = -n->gap;
                continue;
            }
            int64_t last = begin + event;
            const int64_t cycle = n->cycle[last];
            int64_t time = now + cycle - own, blocked = 0;
            for (; last < end && n->cycle[last] == cycle; last++) {
                const int64_t c = n->channel[last];
                int64_t earliest;
                if (n->write[last]) {
                    const int64_t place = n->writes[c] - n->depth[c];
                    if (n->depth[c] < 0 || place < 0)
                        continue;
                    if (place >= n->reads[c]) {
                        blocked = c + 1;
                        break;
                    }
                    earliest = n->taken[n->base[c] + place] + 1;
                } else {
                    if (n->reads[c] >= n->writes[c]) {
                        blocked = c + 1;
                        break;
                    }
                    earliest = n->written[n->base[c] + n->reads[c]] + n->latency[c];
                }
                if (earliest > time)
                    time = earliest;
            }
            if (blocked) {
                n->wait[p] = blocked;
                break;
            }
            for (int64_t e = begin + event; e < last; e++) {
                const int64_t c = n->channel[e], other = n->write[e] ? n->reader[c] : n->writer[c];
                if (n->write[e])
                    n->written[n->base[c] + n->writes[c]++] = time;
                else
                    n->taken[n->base[c] + n->reads[c]++] = time;
                if (other != p && !queued[other] && n->wait[other] == c + 1) {
                    queued[other] = 1;
                    queue[(head + waiting++) % processes] = other;
                }
            }
            if (event == 0)
                n->started[p * n->frames + frame] = time;
            now = time, own = cycle, event = last - begin;
        }
        if (frame == n->frames && state[4 * p] < n->frames)
            left--;
        state[4 * p] = frame, state[4 * p + 1] = event, state[4 * p + 2] = now, state[4 * p + 3] = own;
    }
    free(state), free(queue), free(queued);
    return left ? 1 : 0;
}
