// The workers' way to the task manager and back: questions are posted to the control thread, answers to the worker that
// asked.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <string>

#include "jitproxy/jit/task_manager.hpp"
#include "jitproxy/net/mailbox.hpp"

namespace jitproxy::proxy {

class control_link {
  public:
    explicit control_link(boost::asio::io_context& control) : control_(control) {}
    void attach(jit::task_manager& manager) { manager_ = &manager; }  // before any worker runs

    using session_answer = net::mailbox<result<jit::snapshot_ptr>>;
    void automatic_session(session_answer& into, boost::asio::io_context& worker);
    void bearer_refused(std::string session_id, std::uint64_t generation, std::string dead_grant, session_answer& into,
                        boost::asio::io_context& worker);
    void touch(std::string session_id);
    void token_used(std::string session_id, std::string grant_id);

    using permission_answer = net::mailbox<jit::permission_outcome>;
    // The permission goes on when `asked` is dropped; only its answer is not delivered any more.
    class asked {
      public:
        asked() = default;
        asked(asked&&) = default;
        asked& operator=(asked&&) = default;
        ~asked();

      private:
        friend class control_link;
        control_link* link_ = nullptr;
        std::shared_ptr<jit::task_manager::ticket> ticket_;  // written and read on the control thread
    };
    [[nodiscard]] asked request_permission(jit::permission_need need, permission_answer& into,
                                           boost::asio::io_context& worker);

  private:
    boost::asio::io_context& control_;
    jit::task_manager* manager_ = nullptr;
};

}  // namespace jitproxy::proxy
