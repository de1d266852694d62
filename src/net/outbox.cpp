#include "jitproxy/net/outbox.hpp"

#include "jitproxy/base/secret.hpp"

namespace jitproxy::net {

io_status outbox::send(endpoint& to, std::span<std::string_view const> pieces) {
    std::size_t total = 0;
    for (auto piece : pieces) total += piece.size();
    if (total == 0) return flush(to);
    std::size_t taken = 0;
    if (empty(to)) {
        auto const done = to.try_write(pieces);
        if (done.status == io_status::failed) return io_status::failed;
        taken = done.bytes;
    }
    for (auto piece : pieces) {
        auto const skip = std::min(taken, piece.size());
        taken -= skip;
        kept_.append(piece.substr(skip));
    }
    return empty(to) ? io_status::ok : io_status::blocked;
}

io_status outbox::flush(endpoint& to) {
    while (sent_ < kept_.size()) {
        std::string_view const rest = std::string_view(kept_).substr(sent_);
        auto const done = to.try_write({&rest, 1});
        if (done.status != io_status::ok) return done.status;
        sent_ += done.bytes;
    }
    clear();
    return to.flush().status;
}

void outbox::clear() noexcept {
    if (!kept_.empty()) {
        wipe(kept_);
        std::string().swap(kept_);
    }
    sent_ = 0;
}

}  // namespace jitproxy::net
