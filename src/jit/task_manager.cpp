#include "jitproxy/jit/task_manager.hpp"

#include <utility>

#include "agents.hpp"
#include "core.hpp"
#include "permissions.hpp"
#include "recovery.hpp"
#include "sessions.hpp"

namespace jitproxy::jit {

std::string_view to_string(session_status s) noexcept {
    switch (s) {
        case session_status::opening:
            return "opening";
        case session_status::open:
            return "open";
        case session_status::closing:
            return "closing";
        case session_status::completed:
            return "completed";
        case session_status::failed:
            return "failed";
    }
    return "failed";
}

struct task_manager::impl {
    impl(manager_ports ports, task_manager_options const& options)
        : agents(ports, options, [this](token_keeper const& k) { sessions.bearer_changed(k); }),
          shared(ports, agents, options),
          sessions(shared),
          desk(shared, sessions),
          left(shared, sessions, desk) {
        sessions.end_requests = [this](session_record const& s) { desk.end_session(s.info.session_id, s.suspended); };
        sessions.pending_requests = [this](std::string const& id) { return desk.pending(id); };
        sessions.doubtful = [this](open_task t) { left.doubt(std::move(t)); };
    }

    agent_table agents;
    core shared;
    session_table sessions;
    permission_desk desk;
    recovery left;
};

task_manager::task_manager(manager_ports ports, task_manager_options const& options)
    : impl_(std::make_shared<impl>(ports, options)) {}

task_manager::~task_manager() = default;

void task_manager::start() {
    impl_->agents.fetch_all();
    impl_->left.start();
}

void task_manager::open_session(session_order order, callback<opened_session> done) {
    impl_->sessions.open(std::move(order), std::move(done));
}

void task_manager::ensure_automatic_session(callback<snapshot_ptr> done) {
    impl_->sessions.ensure_automatic(std::move(done));
}

void task_manager::close_session(std::string const& session_id, callback<session_info> done, actor const& who) {
    impl_->sessions.close(session_id, std::move(done), who);
}

void task_manager::touch(std::string const& session_id) {
    impl_->sessions.touch(session_id);
}

task_manager::ticket task_manager::request_permission(permission_need need,
                                                      std::function<void(permission_outcome)> done) {
    return impl_->desk.request(std::move(need), std::move(done));
}

void task_manager::cancel(ticket t) {
    impl_->desk.cancel(t);
}

void task_manager::bearer_refused(std::string const& session_id, std::uint64_t generation, std::string const& grant_id,
                                  callback<snapshot_ptr> done) {
    impl_->sessions.bearer_refused(session_id, generation, grant_id, std::move(done));
}

void task_manager::token_used(std::string const& session_id, std::string const& grant_id) {
    auto& shared = impl_->shared;
    shared.later.post([&desk = impl_->desk, session_id, grant_id] { desk.token_used(session_id, grant_id); });
}

void task_manager::credentials_changed() {
    impl_->agents.credentials_changed();
}

void task_manager::hint(std::string const& local_id) {
    impl_->desk.hint(local_id);
}

void task_manager::approve(std::string const& request_id, secret_ptr user_bearer, std::string notes,
                           callback<request_info> done, actor const& who) {
    impl_->desk.decide(true, request_id, std::move(user_bearer), std::move(notes), std::move(done), who);
}

void task_manager::deny(std::string const& request_id, secret_ptr user_bearer, std::string reason,
                        callback<request_info> done, actor const& who) {
    impl_->desk.decide(false, request_id, std::move(user_bearer), std::move(reason), std::move(done), who);
}

void task_manager::shut_down(std::function<void()> done) {
    impl_->shared.shutting_down = true;
    impl_->sessions.close_all([weak = std::weak_ptr(impl_), done = std::move(done)] {
        if (auto const alive = weak.lock()) alive->shared.later.deliver();
        done();
    });
}

std::vector<session_info> task_manager::sessions() const {
    return impl_->sessions.list();
}

std::optional<session_info> task_manager::session(std::string const& session_id) const {
    return impl_->sessions.info(session_id);
}

std::vector<request_info> task_manager::requests() const {
    return impl_->desk.list();
}

std::vector<agent_token_info> task_manager::agent_tokens() const {
    return impl_->agents.tokens();
}

recovery_info task_manager::recovered() const {
    return impl_->left.info();
}

std::size_t task_manager::live_grants() const {
    return impl_->shared.grants.live(impl_->shared.now());
}

}  // namespace jitproxy::jit
