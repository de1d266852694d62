#include "jitproxy/base/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/encoding.hpp"

namespace jitproxy::log {
namespace {

std::atomic<level> minimum_level{level::info};
std::atomic<format> line_format{format::text};
std::atomic<void (*)(std::string_view)> captured{nullptr};

spdlog::logger& backend() {
    static auto const instance = [] {
        auto logger = std::make_shared<spdlog::logger>("jitproxy", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        logger->set_pattern("%v");  // lines are made here, so that one test covers what the log shows
        logger->set_level(spdlog::level::trace);
        logger->flush_on(spdlog::level::trace);
        return logger;
    }();
    return *instance;
}

constexpr std::string_view name_of(level l) noexcept {
    switch (l) {
        case level::debug:
            return "debug";
        case level::info:
            return "info";
        case level::warning:
            return "warning";
        default:
            return "error";
    }
}

void append_escape(std::string& out, char const* pattern, unsigned value) {
    char text[8];
    std::snprintf(text, sizeof text, pattern, value);
    out += text;
}

// Text as it may stand on one line of a terminal or in a JSON string. C1 controls (U+0080..U+009F) are controls to a
// terminal as well, and U+2028 and U+2029 end a line for some readers.
void append_escaped(std::string& out, std::string_view text, bool for_json) {
    while (!text.empty()) {
        auto const c = static_cast<unsigned char>(text.front());
        std::size_t const length = utf8_length(text);
        if (length == 0) {
            if (for_json)
                out += "\\ufffd";
            else
                append_escape(out, "\\x%02x", c);
            text.remove_prefix(1);
            continue;
        }
        std::string_view const character = text.substr(0, length);
        text.remove_prefix(length);
        if (c == '\n') {
            out += "\\n";
        } else if (c == '\r') {
            out += "\\r";
        } else if (c == '\t') {
            out += "\\t";
        } else if (c < 0x20 || c == 0x7F) {
            append_escape(out, for_json ? "\\u%04x" : "\\x%02x", c);
        } else if (c == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0) {
            append_escape(out, "\\u%04x", static_cast<unsigned char>(character[1]));
        } else if (character == "\xE2\x80\xA8" || character == "\xE2\x80\xA9") {
            append_escape(out, "\\u%04x", 0x2000U + static_cast<unsigned char>(character[2]) - 0x80U);
        } else if (c == '\\' || (c == '"' && for_json)) {
            out.append(1, '\\').append(character);
        } else {
            out += character;
        }
    }
}

void append_json(std::string& out, std::string_view text) {
    out += '"';
    append_escaped(out, text, true);
    out += '"';
}

// Quoted where it would not be one word.
void append_text_value(std::string& out, std::string_view text) {
    if (!text.empty() && text.find_first_of(" \"=\\") == text.npos) {
        append_escaped(out, text, false);
        return;
    }
    out += '"';
    for (std::size_t quote; (quote = text.find('"')) != text.npos; text.remove_prefix(quote + 1)) {
        append_escaped(out, text.substr(0, quote), false);
        out += "\\\"";
    }
    append_escaped(out, text, false);
    out += '"';
}

std::string time_now() {
    auto const now = std::chrono::system_clock::now();
    auto const whole = std::chrono::floor<std::chrono::seconds>(now);
    auto text = format_rfc3339(whole);
    char fraction[16];
    auto const ms = std::chrono::duration_cast<std::chrono::milliseconds>(now - whole).count();
    std::snprintf(fraction, sizeof fraction, ".%03dZ", static_cast<int>(ms));
    text.replace(text.size() - 1, 1, fraction);
    return text;
}

std::string text_line(level l, std::string_view message, std::initializer_list<field> fields) {
    std::string line = time_now().append(1, ' ').append(name_of(l)).append(1, ' ');
    append_escaped(line, message, false);
    for (auto const& f : fields) {
        line.append(1, ' ').append(f.key).append(1, '=');
        append_text_value(line, f.value);
    }
    return line;
}

std::string json_line(level l, std::string_view message, std::initializer_list<field> fields) {
    std::string line = "{\"time\":\"" + time_now() + "\",\"level\":\"";
    line.append(name_of(l)).append("\",\"message\":");
    append_json(line, message);
    for (auto const& f : fields) {
        line += ',';
        append_json(line, f.key);
        line += ':';
        if (f.bare)
            line += f.value;
        else
            append_json(line, f.value);
    }
    return line += '}';
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

bool enabled(level l) noexcept {
    return l != level::off && l >= minimum_level.load(std::memory_order_relaxed);
}

void write(level l, std::string_view message, std::initializer_list<field> fields) {
    if (!enabled(l)) return;
    bool const as_json = line_format.load(std::memory_order_relaxed) == format::json;
    std::string const line = as_json ? json_line(l, message, fields) : text_line(l, message, fields);
    if (auto* sink = captured.load(std::memory_order_acquire))
        sink(line);
    else
        backend().log(spdlog::level::info, spdlog::string_view_t{line.data(), line.size()});
}

void capture(void (*sink)(std::string_view line)) {
    captured.store(sink, std::memory_order_release);
}

}  // namespace jitproxy::log
