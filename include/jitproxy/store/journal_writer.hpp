// The journal port: a thread of its own writes, so that the control thread never waits for the disk. Everything that
// has come up while it wrote is its next transaction.
#pragma once
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "jitproxy/jit/journal.hpp"
#include "jitproxy/store/journal.hpp"

namespace jitproxy::store {

class journal_writer final : public jit::journal {
  public:
    // Has something run on the control thread, soon, but not from within the call. Called on the writer's thread.
    using post_function = std::function<void(std::function<void()>)>;

    journal_writer(std::unique_ptr<sqlite_journal> file, post_function post);
    ~journal_writer() override;  // stops

    void write(jit::journal_record what, jit::callback<void> done) override;
    [[nodiscard]] result<std::vector<jit::open_task>> left_open() const override;
    // Writes what it was given so far and closes the file. What comes after is neither written nor answered.
    void stop();

  private:
    struct job {
        jit::journal_record what;
        jit::callback<void> done;
    };
    void run();
    void work(std::vector<job> batch);

    std::unique_ptr<sqlite_journal> file_;
    post_function post_;
    std::mutex mutable file_in_use_;
    std::mutex queue_in_use_;  // for the members that follow
    std::condition_variable wake_;
    std::vector<job> queue_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace jitproxy::store
