#include "jitproxy/control/event_hub.hpp"

#include <algorithm>
#include <utility>

namespace jitproxy::control {
namespace {

constexpr std::size_t most_types = 64;  // of events counted apart; a bound, not a wish

}  // namespace

std::string event_text(jit::event const& e) {
    json::object document = e.data;
    document["type"] = e.type;
    document["session_id"] = e.session_id;
    // serialize() escapes line ends, so the document is one line, as a server-sent event's data must be.
    return "event: " + e.type + "\ndata: " + json::serialize(document) + "\n\n";
}

std::string event_hub::subscription::next() {
    if (missed_ > 0)
        return "event: missed\ndata: {\"type\":\"missed\",\"count\":" + std::to_string(std::exchange(missed_, 0)) +
               "}\n\n";
    if (queue_.empty()) return {};
    auto const piece = std::move(queue_.front());
    queue_.pop_front();
    return *piece;
}

std::shared_ptr<event_hub::subscription> event_hub::subscribe(std::function<void()> wake) {
    auto out = std::make_shared<subscription>();
    out->wake_ = std::move(wake);
    std::erase_if(subscriptions_, [](auto const& s) { return s.expired(); });
    subscriptions_.push_back(out);
    return out;
}

void event_hub::on_event(jit::event const& e) {
    if (counts_.contains(e.type) || counts_.size() < most_types) ++counts_[e.type];
    auto const piece = std::make_shared<std::string const>("id: " + std::to_string(++last_id_) + "\n" + event_text(e));
    auto const listening = subscriptions_;  // a wake may subscribe or drop
    for (auto const& weak : listening) {
        auto const s = weak.lock();
        if (!s || s->ended_) continue;
        if (s->queue_.size() == queue_limit) {
            s->queue_.pop_front();
            ++s->missed_;
        }
        s->queue_.push_back(piece);
        if (s->wake_) s->wake_();
    }
}

void event_hub::end() {
    for (auto const& weak : std::exchange(subscriptions_, {})) {
        auto const s = weak.lock();
        if (!s) continue;
        s->ended_ = true;
        if (s->wake_) s->wake_();
    }
}

std::size_t event_hub::listeners() const {
    return static_cast<std::size_t>(
        std::count_if(subscriptions_.begin(), subscriptions_.end(), [](auto const& s) { return !s.expired(); }));
}

}  // namespace jitproxy::control
