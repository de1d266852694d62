#include "jitproxy/base/log.hpp"

#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdio>

#include "jitproxy/base/stderr_sink.hpp"

namespace jitproxy::log {
namespace {

std::atomic<level> minimum_level{level::info};
std::atomic<format> line_format{format::text};
std::atomic<void (*)(std::string_view)> captured{nullptr};
std::atomic<bool (*)(std::string_view) noexcept> journal{nullptr};

std::string lost_line(std::uint64_t lines) {
    line l;
    l.begin(current_format(), level::warning, "lines were lost: standard error was not read");
    l.add_count("lines", lines);
    l.end();
    return std::string(l.text());
}

stderr_sink& backend() {
    static stderr_sink instance(STDERR_FILENO, lost_line);
    return instance;
}

}  // namespace

std::string field::text_of(double d) {
    if (!std::isfinite(d)) return "null";
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", d);
    return text;
}

void configure(level minimum, format form) {
    line_format.store(form, std::memory_order_relaxed);
    minimum_level.store(minimum, std::memory_order_relaxed);
}

void set_journal(bool (*take)(std::string_view datagram) noexcept) {
    journal.store(take, std::memory_order_release);
}

bool enabled(level l) noexcept {
    return l != level::off && l >= minimum_level.load(std::memory_order_relaxed);
}

format current_format() noexcept {
    return line_format.load(std::memory_order_relaxed);
}

void write(line const& l) {
    if (auto* sink = captured.load(std::memory_order_acquire)) return sink(l.record());
    if (l.form() == format::journald) {
        auto* take = journal.load(std::memory_order_acquire);
        if (take != nullptr && take(l.record())) return;
    }
    backend().write(l.text());
}

void write(level l, std::string_view message, std::initializer_list<field> fields) {
    if (!enabled(l)) return;
    thread_local line made;
    made.begin(current_format(), l, message);
    for (auto const& f : fields) {
        if (f.bare)
            made.add_bare(f.key, f.value);
        else
            made.add(f.key, f.value);
    }
    made.end();
    write(made);
}

void announce(std::string_view text) {
    backend().write(text);
}

void capture(void (*sink)(std::string_view line)) {
    captured.store(sink, std::memory_order_release);
}

}  // namespace jitproxy::log
