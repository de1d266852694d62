// How a call of the model's server waits, is done, and is answered. For the sources of that server.
#pragma once
#include <utility>

#include "server.hpp"

namespace jitproxy::jit::model {

[[nodiscard]] error failure_of(fault f);

template <class T>
void model_server::enter(secret_ptr bearer, work<T> what, callback<T> done) {
    auto const kept = std::make_shared<std::optional<result<T>>>();
    auto const c = std::make_shared<call>();
    auto const shared = std::make_shared<work<T>>(std::move(what));
    c->process = [this, kept, shared, bearer = std::move(bearer)](int variant) {
        if (*kept) return;
        as_.pass_time(clock_.wall_now());
        if (bearer && !alive(bearer))
            kept->emplace(make_error(errc::as_unauthorized, "this bearer is dead"));
        else
            kept->emplace(shared->process(variant));
    };
    std::weak_ptr<call> const weak = c;
    c->answer = [this, kept, shared, weak, done = std::move(done)](fault f, int variant) {
        auto const me = weak.lock();
        bool const was_processed = kept->has_value();
        bool const does = f == fault::none || f == fault::lost_answer || f == fault::garbled || f == fault::incomplete;
        if (does || !me->heard) me->process(variant);
        if (!me->heard) return;
        if (f == fault::late && !was_processed) {  // it arrives, and the answer is nobody's
            auto const rest = std::make_shared<call>();
            rest->process = me->process;
            rest->answer = [process = me->process](fault, int v) { process(v); };
            rest->heard = false;
            calls_.push_back(rest);
        }
        // What the AS has done already may be unclear, but not undone.
        if (was_processed && !does) f = fault::lost_answer;
        result<T> answer = failure_of(f);
        if (f == fault::none) answer = **kept;
        if (f == fault::incomplete && (*kept)->has_error()) answer = **kept;
        if (f == fault::incomplete && (*kept)->has_value() && shared->cut) {
            answer = **kept;
            shared->cut(answer);
        }
        shared->told(answer, f);
        done(answer);
    };
    calls_.push_back(c);
}

}  // namespace jitproxy::jit::model
