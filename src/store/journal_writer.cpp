#include "jitproxy/store/journal_writer.hpp"

#include <utility>

namespace jitproxy::store {

journal_writer::journal_writer(std::unique_ptr<sqlite_journal> file, post_function post)
    : file_(std::move(file)), post_(std::move(post)), thread_([this] { run(); }) {}

journal_writer::~journal_writer() {
    stop();
}

void journal_writer::write(jit::journal_record what, jit::callback<void> done) {
    {
        std::lock_guard const guard{queue_in_use_};
        if (stopping_) return;
        queue_.push_back({std::move(what), std::move(done)});
    }
    wake_.notify_one();
}

result<std::vector<jit::open_task>> journal_writer::left_open() const {
    std::lock_guard const guard{file_in_use_};
    return file_->left_open();
}

void journal_writer::stop() {
    {
        std::lock_guard const guard{queue_in_use_};
        stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
    file_.reset();
}

void journal_writer::run() {
    for (;;) {
        std::unique_lock lock{queue_in_use_};
        wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) return;
        auto batch = std::exchange(queue_, {});
        lock.unlock();
        work(std::move(batch));
    }
}

void journal_writer::work(std::vector<job> batch) {
    std::vector<jit::journal_record> records;
    std::vector<jit::callback<void>> callers;
    for (auto& j : batch) {
        records.push_back(std::move(j.what));
        callers.push_back(std::move(j.done));
    }
    std::unique_lock lock{file_in_use_};
    auto outcomes = file_->write_all(records);
    lock.unlock();
    // The callbacks are called, and die, where they came from.
    post_([callers = std::move(callers), outcomes = std::move(outcomes)] {
        for (std::size_t i = 0; i != callers.size(); ++i)
            if (callers[i]) callers[i](outcomes[i]);
    });
}

}  // namespace jitproxy::store
