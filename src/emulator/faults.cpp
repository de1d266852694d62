#include "jitproxy/emulator/faults.hpp"

#include <algorithm>
#include <array>

namespace jitproxy::emulator {

namespace {

struct kind_name {
    std::string_view name;
    fault_kind kind;
};
constexpr std::array kinds{
    kind_name{"delay", fault_kind::delay},
    kind_name{"delay_after", fault_kind::delay_after},
    kind_name{"status", fault_kind::status},
    kind_name{"reset_before", fault_kind::reset_before},
    kind_name{"reset_after", fault_kind::reset_after},
    kind_name{"truncate", fault_kind::truncate},
    kind_name{"malformed", fault_kind::malformed},
    kind_name{"wrong_type", fault_kind::wrong_type},
    kind_name{"rate_limit", fault_kind::rate_limit},
    kind_name{"expired_token", fault_kind::expired_token},
};

constexpr std::array<std::string_view, 14> endpoints{"token",   "revoke",    "introspect", "task",     "request",
                                                     "status",  "jit_token", "complete",   "evaluate", "pending",
                                                     "approve", "deny",      "api",        "*"};

reply trouble(unsigned status) {
    return api_error(status, "fault", "A fault was asked for");
}

}  // namespace

bool is_endpoint_name(std::string_view name) noexcept {
    return std::find(endpoints.begin(), endpoints.end(), name) != endpoints.end();
}

std::string fault_list::add(json::object const& wanted) {
    fault f;
    f.endpoint = string_member(wanted, "endpoint").value_or("");
    if (!is_endpoint_name(f.endpoint)) return "no endpoint of that name";
    auto const kind = string_member(wanted, "kind").value_or("");
    auto const at = std::find_if(kinds.begin(), kinds.end(), [&](kind_name const& k) { return k.name == kind; });
    if (at == kinds.end()) return "no kind of that name";
    f.kind = at->kind;
    auto const status = int_member(wanted, "status").value_or(503);
    auto const delay = int_member(wanted, "delay_ms").value_or(0);
    f.retry_after = int_member(wanted, "retry_after");
    f.times = int_member(wanted, "times").value_or(1);
    if (status < 200 || status > 599) return "status must be from 200 to 599";
    if (delay < 0 || delay > 600'000) return "delay_ms must be from 0 to 600000";
    if (f.times == 0 || f.times < -1) return "times must be positive, or -1 for ever";
    f.status = static_cast<unsigned>(status);
    f.delay_ms = static_cast<std::uint64_t>(delay);
    faults_.push_back(std::move(f));
    return {};
}

std::optional<fault> fault_list::take(std::string_view endpoint) {
    auto const at = std::find_if(faults_.begin(), faults_.end(),
                                 [&](fault const& f) { return f.endpoint == "*" || f.endpoint == endpoint; });
    if (at == faults_.end()) return std::nullopt;
    auto const taken = *at;
    if (at->times > 0 && --at->times == 0) faults_.erase(at);
    return taken;
}

json::array fault_list::to_json() const {
    json::array out;
    for (auto const& f : faults_) {
        auto const at = std::find_if(kinds.begin(), kinds.end(), [&](kind_name const& k) { return k.kind == f.kind; });
        out.push_back(json::object{{"endpoint", f.endpoint},
                                   {"kind", at->name},
                                   {"status", f.status},
                                   {"delay_ms", f.delay_ms},
                                   {"times", f.times}});
    }
    return out;
}

std::optional<reply> answer_instead(fault const& f) {
    switch (f.kind) {
        case fault_kind::status: {
            auto r = trouble(f.status);
            if (f.retry_after) r.fields.push_back({"Retry-After", std::to_string(*f.retry_after)});
            if (f.status == 204 || f.status == 304) {
                r.fields.clear();
                r.body.clear();
            }
            return r;
        }
        case fault_kind::rate_limit: {
            auto r = api_error(429, "rate_limited", "Too many requests");
            r.fields.push_back({"Retry-After", std::to_string(f.retry_after.value_or(1))});
            return r;
        }
        case fault_kind::reset_before: {
            reply r;
            r.how = delivery::reset;
            return r;
        }
        default:
            return std::nullopt;
    }
}

void spoil(fault const& f, reply& r) {
    switch (f.kind) {
        case fault_kind::delay_after:
            r.delay_ms = f.delay_ms;
            break;
        case fault_kind::reset_after:
            r.how = delivery::reset;
            break;
        case fault_kind::truncate:
            if (r.body.empty()) r.body = "{ }";
            r.how = delivery::truncated;
            break;
        case fault_kind::malformed:
            r.body = "{\"access_token\": \"emu_";
            break;
        case fault_kind::wrong_type:
            r = reply{};
            r.fields.push_back({"Content-Type", "text/html; charset=utf-8"});
            r.body = "<!doctype html><title>Welcome</title><p>Please log in.</p>\n";
            break;
        default:
            break;
    }
}

}  // namespace jitproxy::emulator
