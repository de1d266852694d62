#include "jitproxy/proxy/control_link.hpp"

namespace jitproxy::proxy {

void control_link::automatic_session(session_answer& into, boost::asio::io_context& worker) {
    boost::asio::post(control_,
                      [this, deliver = into.deliver_through(worker)] { manager_->ensure_automatic_session(deliver); });
}

void control_link::bearer_refused(std::string session_id, std::uint64_t generation, std::string dead_grant,
                                  session_answer& into, boost::asio::io_context& worker) {
    boost::asio::post(control_, [this, id = std::move(session_id), generation, grant = std::move(dead_grant),
                                 deliver = into.deliver_through(worker)] {
        manager_->bearer_refused(id, generation, grant, deliver);
    });
}

void control_link::touch(std::string session_id) {
    boost::asio::post(control_, [this, id = std::move(session_id)] { manager_->touch(id); });
}

void control_link::token_used(std::string session_id, std::string grant_id) {
    boost::asio::post(
        control_, [this, id = std::move(session_id), grant = std::move(grant_id)] { manager_->token_used(id, grant); });
}

control_link::asked control_link::request_permission(jit::permission_need need, permission_answer& into,
                                                     boost::asio::io_context& worker) {
    asked a;
    a.link_ = this;
    a.ticket_ = std::make_shared<jit::task_manager::ticket>(0);
    boost::asio::post(
        control_, [this, n = std::move(need), ticket = a.ticket_, deliver = into.deliver_through(worker)]() mutable {
            *ticket = manager_->request_permission(std::move(n), deliver);
        });
    return a;
}

control_link::asked::~asked() {
    if (!ticket_) return;
    // Queued behind the question, so the ticket is there. An answered ticket is unknown to the manager, which ignores
    // it.
    boost::asio::post(link_->control_, [link = link_, ticket = ticket_] { link->manager_->cancel(*ticket); });
}

}  // namespace jitproxy::proxy
