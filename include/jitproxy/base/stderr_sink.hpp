// Whole lines to a descriptor that belongs to others too, as standard error does, without waiting for whoever reads it.
#pragma once
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace jitproxy::log {

// What the reader does not take in time is dropped and counted, line by line; how many lines were lost is said before
// the next line that is written. Threads: any, one line at a time; nobody waits longer than `patience` in a second.
class stderr_sink {
  public:
    // The line, without its end, that says that `lines` were lost.
    using lost_line = std::string (*)(std::uint64_t lines);

    // `fd` stays the caller's, and its flags as they are: other processes may write to the same pipe or terminal. It
    // may be closed, or lose its reader: lines are lost then, too. The process must ignore SIGPIPE to outlive that.
    stderr_sink(int fd, lost_line lost, std::chrono::milliseconds patience = std::chrono::milliseconds{50});
    ~stderr_sink();
    stderr_sink(stderr_sink const&) = delete;
    stderr_sink& operator=(stderr_sink const&) = delete;

    void write(std::string_view line);  // without its end

  private:
    bool put(std::string_view line);
    std::size_t send(std::string_view bytes);
    long send_some(std::string_view bytes) const;
    bool wait();

    std::mutex mutex_;
    int fd_;
    bool own_ = false;  // fd_ is a description of ours, and does not block
    lost_line lost_line_;
    std::chrono::milliseconds patience_;
    std::string text_;               // the line with its end
    std::string rest_;               // of a line that was taken in part: comes before everything else
    std::uint64_t lost_ = 0;         // lines, and not yet told
    bool stuck_ = false;             // the last bytes were not taken
    std::chrono::nanoseconds left_;  // of patience_, in the second that began at refilled_
    std::chrono::steady_clock::time_point refilled_;
};

}  // namespace jitproxy::log
