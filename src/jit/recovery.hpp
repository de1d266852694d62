// What an earlier life of the process left open at the AS, and completes now.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core.hpp"
#include "jitproxy/jit/backoff.hpp"

namespace jitproxy::jit {

class recovery {
  public:
    explicit recovery(core& c) : core_(c) {}

    void start(std::shared_ptr<token_keeper> agent);
    [[nodiscard]] std::size_t left() const noexcept { return jobs_.size(); }

  private:
    struct job {
        explicit job(scheduler& clock) : retry(clock) {}
        open_task task;
        backoff pauses{seconds(1), seconds(60)};
        timer retry;
    };
    void attempt(std::shared_ptr<job> const& j);
    void done(std::shared_ptr<job> const& j);

    core& core_;
    std::shared_ptr<token_keeper> agent_;
    std::vector<std::shared_ptr<job>> jobs_;
};

}  // namespace jitproxy::jit
