#include "world.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "ids.hpp"
#include "jitproxy/base/log.hpp"

namespace jitproxy::jit::model {

namespace {

reference* listening = nullptr;  // to the log

task_manager_options options_of(bool resume, std::shared_ptr<keyed_hash const> hash) {
    task_manager_options o;
    o.agents = {{"first", "client-1"}, {"second", "client-2"}};
    o.idle_timeout = std::chrono::minutes(3);
    o.hold = seconds(30);
    o.denial_memory = seconds(5);
    o.evaluate_every = seconds(20);
    o.callback_url = [](std::string const& local_id) { return local_id; };
    o.resume = resume;
    o.hash = std::move(hash);
    return o;
}

}  // namespace

world::world() {
    log::configure(log::level::debug, log::format::text);
    listening = &ref_;
    log::capture([](std::string_view line) {
        if (listening != nullptr) listening->text(line);
    });
    policy::api a;
    a.name = "acme";
    api_ = std::make_shared<policy::api const>(std::move(a));
    start(false);
    clock_.settle();
}

world::~world() {
    manager_.reset();
    listening = nullptr;
    log::capture(nullptr);
    log::configure(log::level::off, log::format::text);
}

void world::on_event(event const& e) {
    ref_.text(e.type + ' ' + e.session_id + ' ' + json::serialize(e.data));
    ++ref_.seen[e.type];
}

// Requests in flight end by themselves, or are cut: those of them that wait for an answer have left then.
void world::drain(std::string const& session_id, std::function<void()> done) {
    draining_[session_id].push_back(std::move(done));
    if (ref_.traffic.count(session_id) == 0) release(session_id);
}

void world::release(std::string const& session_id) {
    ref_.traffic.erase(session_id);
    auto const it = draining_.find(session_id);
    if (it == draining_.end()) return;
    for (auto const& c : ref_.callers)
        if (c->session_id == session_id && c->what == "refuse_bearer") c->left = true;
    auto const all = std::move(it->second);
    draining_.erase(it);
    for (auto const& done : all) done();
}

void world::run(command const& c) {
    perform(c);
    clock_.settle();
    for (auto& s : slots_)  // who is still being opened can be closed, too
        if (s.session_id.empty())
            for (auto const& info : manager_->sessions())
                if (info.name == s.name) s.session_id = info.session_id;
    ref_.as.pass_time(clock_.wall_now());
    ref_.check(*manager_);
    if (!std::exchange(down_, false)) return;
    end_life(journal_.queued(), false, false);
    start(resume_next_);
    clock_.settle();
    ref_.check(*manager_);
}

void world::perform(command const& c) {
    auto const n = static_cast<std::size_t>(c.a);
    switch (c.what) {
        case verb::open:
            return open(static_cast<opening>(c.a), c.b, static_cast<naming>(c.c));
        case verb::ask:
            return ask(session_of(c.a), c.b, static_cast<asking>(c.c));
        case verb::give_up:
            return give_up(c.a);
        case verb::approve:
            return decide_through(true, c.a);
        case verb::deny:
            return decide_through(false, c.a);
        case verb::decide:
            return decide(c.a, c.b);
        case verb::hint:
            return hint(c.a);
        case verb::end_task:
            return end_task(c.a, c.b != 0);
        case verb::kill_bearers:
            return kill_bearers(c.a == 0 ? token_kind::agent : token_kind::delegated, c.b);
        case verb::process:
            return server_.process(n, c.b);
        case verb::answer:
            return server_.answer(n, static_cast<fault>(c.b), c.c);
        case verb::weather:
            server_.weather = static_cast<fault>(c.a);
            return;
        case verb::close:
            return close(session_of(c.a));
        case verb::traffic:
            return set_traffic(session_of(c.a), c.b != 0);
        case verb::refuse_bearer:
            return refuse_bearer(session_of(c.a), c.b);
        case verb::write:
            return write(c.a);
        case verb::disk:
            journal_.full = c.a != 0;
            return;
        case verb::advance:
            return clock_.advance(milliseconds(durations[n % std::size(durations)]));
        case verb::flow:
            return flow(c.a);
        case verb::crash:
            ++ref_.seen["crash"];
            end_life(static_cast<std::size_t>(c.b), c.a == 0, c.a == 1);
            return start(c.c != 0);
        case verb::shut_down:
            return shut_down(c.c != 0);
    }
}

void world::start(bool resume) {
    manager_ = std::make_unique<task_manager>(manager_ports{server_, journal_, clock_, *this, *this},
                                              options_of(resume, hash_));
    manager_->start();
    for (auto const& info : manager_->sessions()) {
        auto const& row = journal_.rows.at(info.session_id);
        bool const may = resume && !row.task.closing && row.task.about.owner == "hand";
        ref_.demand(may, "5", info.session_id + " is taken up again, and should have been closed");
        ++ref_.seen["resumed"];
        for (auto const& p : journal_.permissions) {
            if (p.session_id != info.session_id || p.settled || !p.pending) continue;
            auto& request = ref_.as.requests.at(p.facts.request_id);
            request.told_in = ref_.life;
            request_state known;
            known.request_id = p.facts.request_id;
            known.expires_at = p.facts.expires_at;
            ref_.filed.resumed(info.session_id + ' ' + p.need, info.session_id, request.task_id, request.needs, known,
                               clock_.wall_now());
            ++ref_.seen["request resumed"];
        }
    }
}

void world::end_life(std::size_t still_written, bool lost, bool processed) {
    manager_.reset();
    clock_.settle();
    ref_.demand(clock_.timers() == 0, "M", "a timer has outlived its manager");
    journal_.crash(still_written);
    ref_.check_journal();
    server_.nobody_listens(lost, processed);
    draining_.clear();
    down_ = false;
    ref_.died();
}

void world::shut_down(bool resume) {
    resume_next_ = resume;
    auto const c = expect("shut_down", {});
    manager_->shut_down([this, c] {
        ref_.answered(*c, nullptr);
        down_ = true;
    });
}

void world::write(int records) {
    for (int i = 0; journal_.queued() != 0 && (records == 0 ? i < 200 : i < records); ++i) {
        journal_.write_one();
        clock_.settle();
    }
}

void world::flow(int variant) {
    for (int i = 0; i != 200 && journal_.queued() + server_.in_flight() != 0; ++i) {
        write(0);
        server_.answer(0, fault::none, variant);
        clock_.settle();
    }
}

bool world::calm_down(bool const& over) {
    constexpr int quick = 60;
    for (int i = 0; i != 600; ++i) {
        flow(0);
        if (over && manager_->recovered().waiting.empty()) return true;
        clock_.advance(i < quick ? seconds(1) : seconds(60));
        ref_.as.pass_time(clock_.wall_now());
    }
    return false;
}

void world::finish() {
    server_.weather = fault::none;
    journal_.full = false;
    auto const busy = ref_.traffic;
    for (auto const& id : busy) release(id);
    shut_down(false);
    ref_.demand(calm_down(down_), "5", "not everything could be closed");
    ref_.check(*manager_);
    ref_.check_end(*manager_);
    end_life(journal_.queued(), false, true);
    start(false);
    ref_.demand(calm_down(true), "5", "what an earlier life left open could not be closed");
    ref_.check(*manager_);
    ref_.check_left();
    auto const unknown =
        static_cast<std::size_t>(std::count_if(journal_.rows.begin(), journal_.rows.end(), [](auto const& each) {
            return each.second.is == model_journal::state::opening;
        }));
    ref_.demand(manager_->recovered().uncertain.size() == unknown, "5", "not all that is uncertain is said to be");
    for (int hour = 0; hour != 26; ++hour) {
        clock_.advance(std::chrono::hours(1));
        flow(0);
    }
    ref_.as.pass_time(clock_.wall_now());
    ref_.check(*manager_);
    for (auto const& [id, r] : journal_.rows)
        ref_.demand(r.is == model_journal::state::closed, "5", id + " is never forgotten");
}

std::optional<violation> run_sequence(sequence const& s, std::map<std::string, int>* seen) {
    repeatable_ids const ids(1);
    world w;
    std::size_t step = 0;
    for (; step != s.size() && !w.found(); ++step) w.run(s[step]);
    if (!w.found()) {
        w.finish();
        ++step;
    }
    if (seen != nullptr)
        for (auto const& [what, count] : w.seen()) (*seen)[what] += count;
    auto found = w.found();
    if (found) found->step = step - 1;
    return found;
}

}  // namespace jitproxy::jit::model
