#include "jitproxy/audit/trail.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "jitproxy/base/encoding.hpp"
#include "jitproxy/base/log.hpp"
#include "open_trail.hpp"

namespace jitproxy::audit {
namespace {

std::string format_time(wall_time t) {  // RFC 3339, to the millisecond
    auto const ms = std::chrono::duration_cast<milliseconds>(t.time_since_epoch()).count() % 1000;
    auto text = format_rfc3339(t);
    auto digits = std::to_string(1000 + ms);
    digits[0] = '.';
    return text.insert(text.size() - 1, digits);
}

json::object take(json::object& data, std::string_view name) {
    json::object out;
    if (auto const* value = data.if_contains(name)) {
        if (!value->is_string() || !value->get_string().empty()) out[name] = *value;
        data.erase(name);
    }
    return out;
}

std::string to_line(entry const& e, head const& before, wall_time now) {
    auto data = e.data;
    json::object line{{"seq", before.seq + 1}, {"time", format_time(now)}, {"event", e.event}};
    if (!e.session_id.empty()) line["session_id"] = e.session_id;
    for (auto const* name : {"task_id", "agent"})
        for (auto& member : take(data, name)) line[name] = member.value();
    line["actor"] = e.actor;
    line["data"] = data;
    line["prev"] = before.hash;
    auto text = to_utf8(json::serialize(line), SIZE_MAX);
    if (text.size() <= longest_line) return text;
    line["data"] = json::object{{"omitted_bytes", json::serialize(data).size()}};
    return to_utf8(json::serialize(line), SIZE_MAX);
}

entry own_entry(std::string event, json::object data) {
    return {std::move(event), {}, {{"kind", "daemon"}, {"pid", getpid()}}, std::move(data)};
}

}  // namespace

result<void> trail::append(entry const& e) {
    auto done = write(&e);
    if (done) return done;
    ++failures_;
    if (lost_++ == 0) lost_since_ = clock_();
    lost_because_ = done.error().detail;
    return done;
}

result<void> trail::ready() {
    return write(nullptr);
}

trail::trail(std::filesystem::path file, std::function<wall_time()> clock)
    : file_(std::move(file)), clock_(std::move(clock)) {}

trail::~trail() = default;
trail::trail(trail&&) noexcept = default;
trail& trail::operator=(trail&&) noexcept = default;

result<void> trail::write(entry const* e) {
    auto done = try_to_write(e);
    failing_ = !done;
    return done;
}

result<void> trail::try_to_write(entry const* e) {
    result<bool> const still = opened_ ? opened_->take_up() : false;
    if (!still) return still.error();
    if (!*still) {
        opened_.reset();  // gives the lock back
        auto fresh = open_trail::open(file_);
        if (!fresh) return fresh.error();
        opened_ = std::make_unique<open_trail>(std::move(*fresh));
    }
    auto done = write_to(*opened_, e);
    opened_->let_go();
    return done;
}

result<void> trail::write_to(open_trail& opened, entry const* e) {
    auto const add = [&](entry const& what) { return opened.add(to_line(what, opened.head(), clock_())); };
    if (auto const& torn = opened.torn(); !torn.empty()) {
        // The torn piece gets an end, and a line that vouches for it.
        auto const mark = own_entry(std::string(torn_event), {{"bytes", torn.size()}, {"sha256", hash_of(torn)}});
        if (auto done = opened.add(to_line(mark, opened.head(), clock_()), "\n"); !done) return done;
    }
    if (lost_ > 0) {
        auto told = add(own_entry(
            "audit.lost",
            {{"entries", lost_}, {"since", format_time(lost_since_)}, {"reason", to_utf8(lost_because_, 500)}}));
        if (!told) return told;
        lost_ = 0;
    }
    return e == nullptr ? result<void>{} : add(*e);
}

}  // namespace jitproxy::audit
