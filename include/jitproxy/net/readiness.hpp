// Which of a worker's sockets have become ready: one edge-triggered epoll set (epoll(7)) for all of them, itself one
// descriptor to Asio. A socket is registered once; after that a wait costs no system call.
#pragma once
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <vector>

#include "jitproxy/base/error.hpp"
#include "jitproxy/net/waker.hpp"

namespace jitproxy::net {

// One socket's state, as far as the kernel has told. An edge comes once: who finds the socket drained takes `readable`
// back, and who is refused takes `writable` back.
struct watch : boost::intrusive_ref_counter<watch, boost::thread_unsafe_counter> {
    waker* target = nullptr;  // who is woken when a wait is over; null: nobody
    bool readable = true;     // worth a try
    bool writable = false;
    bool ended = false;   // the peer's end or an error has come: there is always something to read, if only that
    bool broken = false;  // an error, or both sides have ended
    bool waits_to_read = false;
    bool waits_to_write = false;
    bool waits_for_end = false;

    void drained() noexcept { readable = ended; }
    // The waker is called when the wait is over; at once where it is over already.
    void wait_read() {
        waits_to_read = true;
        tell();
    }
    void wait_write() {
        waits_to_write = true;
        tell();
    }
    void wait_end() {  // whatever there is to read
        waits_for_end = true;
        tell();
    }
    void tell() {
        if (!(waits_to_read && readable) && !(waits_to_write && writable) && !(waits_for_end && ended)) return;
        if (readable) waits_to_read = false;
        if (writable) waits_to_write = false;
        if (ended) waits_for_end = false;
        if (target != nullptr) target->wake();
    }
};
using watch_ptr = boost::intrusive_ptr<watch>;

// Belongs to its io_context and is used on the thread that runs it. What it watches is gone before the io_context is.
class readiness final : public boost::asio::execution_context::service {
  public:
    static boost::asio::execution_context::id id;  // what Asio knows the service by

    [[nodiscard]] static readiness& of(boost::asio::io_context& io) { return boost::asio::use_service<readiness>(io); }
    explicit readiness(boost::asio::execution_context& context);  // made by of()

    // From now on until the descriptor is closed. Errors: limit_reached.
    [[nodiscard]] result<watch_ptr> add(int descriptor);
    // There is more to read, but the others have their turn first: until then it counts as drained.
    void put_off(watch_ptr const& w);
    // The descriptor is being closed.
    void forget(watch_ptr w);

  private:
    using set_descriptor = boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;

    void shutdown() override;
    void await_edges();
    void dispatch();

    set_descriptor set_;
    bool dispatching_ = false;
    std::vector<watch_ptr> forgotten_;  // edges that are being told may still name them
    std::vector<watch_ptr> put_off_;    // their turn comes behind the others'
};

}  // namespace jitproxy::net
