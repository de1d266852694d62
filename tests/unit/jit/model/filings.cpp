#include "filings.hpp"

#include <algorithm>

namespace jitproxy::jit::model {

namespace {

constexpr auto own_patience = std::chrono::hours(1);  // of the manager, where the AS names no end

// The call may be made again with better luck: it says nothing about the request.
bool says_nothing(errc code) {
    return code == errc::as_unreachable || code == errc::as_unclear || code == errc::as_down ||
           code == errc::as_rate_limited || code == errc::as_malformed || code == errc::as_unauthorized;
}

}  // namespace

std::string filings::asked(std::string const& key, std::string const& session_id, std::string const& task_id,
                           std::string const& needs, wall_time now) {
    std::string wrong;
    if (auto const it = all_.find(key); it != all_.end()) {
        auto const& f = it->second;
        if (f.is == state::in_flight) wrong = "the same is being asked for at this moment";
        if (f.is == state::known && now < f.ends) wrong = "the same was asked for as " + f.request_id;
        if (f.is == state::unclear && !f.excused && !f.looked)
            wrong = "the same had no clear answer, and what is pending was not looked at";
        if (f.is == state::unclear && !f.excused && f.looked) {
            // Equal needs of two origins look alike in the list: as many as are there need not be asked for again.
            auto const unclear = std::count_if(all_.begin(), all_.end(), [&](auto const& each) {
                return each.second.is == state::unclear && each.second.task_id == task_id && each.second.needs == needs;
            });
            auto const there = std::count_if(as_.requests.begin(), as_.requests.end(), [&](auto const& each) {
                auto const& [id, r] = each;
                return r.task_id == task_id && r.needs == needs && as_.undecided(r) && of_request(id) == nullptr;
            });
            if (there >= unclear) wrong = "the same had no clear answer, but waits for a human";
        }
    }
    all_[key] = {state::in_flight, session_id, task_id, needs, {}, false, false, {}};
    return wrong;
}

void filings::learn(filing& f, request_state const& news, wall_time now) {
    f.is = state::known;
    if (!news.request_id.empty()) f.request_id = news.request_id;
    if (f.ends == wall_time{}) f.ends = now + own_patience;
    if (news.expires_at && *news.expires_at > now) f.ends = *news.expires_at;
}

void filings::answered(std::string const& key, result<request_state> const& answer, fault how, wall_time now) {
    auto const it = all_.find(key);
    if (it == all_.end() || it->second.is != state::in_flight) return;
    auto& f = it->second;
    auto const unclear = [&] {
        f.is = state::unclear;
        f.excused = how == fault::late;
    };
    if (answer.has_error()) {
        auto const code = answer.error().code;
        if (code == errc::as_unclear || code == errc::as_malformed) return unclear();
        all_.erase(it);  // it was not done
        return;
    }
    bool const goes_on = answer->status == request_status::pending || answer->status == request_status::approved;
    if (!goes_on) {
        all_.erase(it);
        return;
    }
    if (answer->request_id.empty()) return unclear();
    learn(f, *answer, now);
}

void filings::listed(result<std::vector<pending_request>> const& answer) {
    for (auto& [key, f] : all_) {
        if (f.is != state::unclear) continue;
        if (answer.has_value())
            f.looked = true;
        else if (!says_nothing(answer.error().code) || answer.error().code == errc::as_unauthorized)
            f.excused = true;
    }
}

filings::filing* filings::of_request(std::string const& request_id) {
    auto const it = std::find_if(all_.begin(), all_.end(), [&](auto const& each) {
        return each.second.is == state::known && each.second.request_id == request_id;
    });
    return it == all_.end() ? nullptr : &it->second;
}

void filings::settle(std::string const& request_id) {
    std::erase_if(
        all_, [&](auto const& each) { return each.second.is == state::known && each.second.request_id == request_id; });
}

void filings::polled(std::string const& request_id, result<request_state> const& answer, wall_time now) {
    if (answer.has_error()) {
        if (!says_nothing(answer.error().code)) settle(request_id);
        return;
    }
    auto* const f = of_request(request_id);
    if (f == nullptr) return;
    if (answer->status == request_status::pending || answer->status == request_status::approved) {
        learn(*f, *answer, now);
        f->request_id = request_id;
    } else {
        settle(request_id);
    }
}

void filings::exchanged(std::string const& request_id, result<access_token> const& answer) {
    if (answer.has_value() || !says_nothing(answer.error().code)) settle(request_id);
}

void filings::decided(std::string const& request_id, request_status status) {
    if (status == request_status::denied || status == request_status::expired) settle(request_id);
}

void filings::resumed(std::string const& key, std::string const& session_id, std::string const& task_id,
                      std::string const& needs, request_state const& known, wall_time now) {
    filing f{state::known, session_id, task_id, needs, {}, false, false, {}};
    learn(f, known, now);
    all_[key] = std::move(f);
}

void filings::close(std::string const& session_id) {
    std::erase_if(all_, [&](auto const& each) { return each.second.session_id == session_id; });
}

}  // namespace jitproxy::jit::model
