#include <algorithm>

#include "jitproxy/app/doctor.hpp"
#include "jitproxy/app/table.hpp"

namespace jitproxy::app {

std::string_view name_of(verdict v) noexcept {
    return v == verdict::ok ? "ok" : v == verdict::warning ? "warning" : "failure";
}

void findings::ok(std::string check, std::string detail) {
    all_.push_back({std::move(check), verdict::ok, std::move(detail), {}});
}

void findings::warning(std::string check, std::string detail, std::string mend) {
    all_.push_back({std::move(check), verdict::warning, std::move(detail), std::move(mend)});
}

void findings::failure(std::string check, std::string detail, std::string mend) {
    all_.push_back({std::move(check), verdict::failure, std::move(detail), std::move(mend)});
}

verdict findings::worst() const noexcept {
    auto out = verdict::ok;
    for (auto const& f : all_) out = std::max(out, f.status);
    return out;
}

std::string findings::text() const {
    std::string out;
    for (auto const& f : all_) {
        out += f.status == verdict::ok ? "  ok       " : f.status == verdict::warning ? "  warning  " : "  FAIL     ";
        out += f.check + ": " + for_terminal(f.detail) + "\n";
        if (!f.mend.empty()) out += "           " + for_terminal(f.mend) + "\n";
    }
    return out;
}

json::object findings::document() const {
    json::array checks;
    for (auto const& f : all_) {
        json::object one{{"check", f.check}, {"status", name_of(f.status)}, {"detail", f.detail}, {"mend", nullptr}};
        if (!f.mend.empty()) one["mend"] = f.mend;
        checks.push_back(std::move(one));
    }
    return {{"status", name_of(worst())}, {"checks", std::move(checks)}};
}

}  // namespace jitproxy::app
