#include "jitproxy/proxy/request_body.hpp"

namespace jitproxy::proxy {

body_status request_body::next(net::endpoint& client, std::span<char> scratch, pieces& out) {
    if (position_ < taken_) {
        auto const kept = store_.read(position_, scratch);
        if (kept.empty()) return body_status::cut;
        out.push_back(kept);
        position_ += kept.size();
        return body_status::data;
    }
    auto const first = out.size();
    auto const status = reader_.read(client, scratch, out);
    for (auto i = first; i < out.size(); ++i) {
        if (keep_) keep_ = store_.append(out[i]);
        taken_ += out[i].size();
    }
    position_ = taken_;
    return status;
}

void request_body::stop_keeping() noexcept {
    if (position_ < taken_) return;  // a replay is under way
    keep_ = false;
    store_.drop();
}

}  // namespace jitproxy::proxy
