#include "jitproxy/proxy/admission.hpp"

#include <utility>

namespace jitproxy::proxy {

admission::place::place(place&& other) noexcept
    : from_(std::exchange(other.from_, nullptr)), session_id_(std::move(other.session_id_)) {}

admission::place& admission::place::operator=(place&& other) noexcept {
    std::swap(from_, other.from_);
    std::swap(session_id_, other.session_id_);
    return *this;
}

admission::place::~place() {
    if (from_ != nullptr) from_->leave(*this);
}

void admission::set_most(std::size_t most, std::size_t most_in_session) {
    std::lock_guard const lock(mutex_);
    most_ = most;
    most_in_session_ = most_in_session;
}

std::optional<admission::place> admission::enter() {
    std::lock_guard const lock(mutex_);
    if (entered_ >= most_) return std::nullopt;
    ++entered_;
    return place(*this);
}

bool admission::move(place& held, std::string_view session_id) {
    if (held.session_id_ == session_id) return true;
    std::lock_guard const lock(mutex_);
    if (!session_id.empty()) {
        auto found = in_session_.find(session_id);
        if (found == in_session_.end()) found = in_session_.emplace(session_id, 0).first;
        if (found->second >= most_in_session_) return false;
        ++found->second;
    }
    leave_session(held.session_id_);
    held.session_id_ = session_id;
    return true;
}

void admission::leave(place& held) {
    std::lock_guard const lock(mutex_);
    --entered_;
    leave_session(held.session_id_);
}

void admission::leave_session(std::string const& session_id) {
    auto const found = in_session_.find(session_id);
    if (found != in_session_.end() && --found->second == 0) in_session_.erase(found);
}

}  // namespace jitproxy::proxy
