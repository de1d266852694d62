#include "jitproxy/store/journal_writer.hpp"

#include <condition_variable>
#include <deque>
#include <future>

#include "catch.hpp"
#include "directory.hpp"

using namespace jitproxy;
using store::journal_writer;
using store::sqlite_journal;
namespace records = jit::records;

namespace {

wall_time const now{seconds{1'750'000'000}};

// The control thread's queue: what the writer posts is run here, by the test's own thread, and by no other.
class control {
  public:
    void post(std::function<void()> f) {
        {
            std::lock_guard const guard{mutex_};
            posted_.push_back(std::move(f));
        }
        wake_.notify_one();
    }
    void run_until(std::function<bool()> const& done) {
        while (!done()) {
            std::unique_lock lock{mutex_};
            REQUIRE(wake_.wait_for(lock, std::chrono::seconds(60), [&] { return !posted_.empty(); }));
            auto const next = std::move(posted_.front());
            posted_.pop_front();
            lock.unlock();
            ++runs;
            next();
        }
    }
    int runs = 0;

  private:
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> posted_;
};

std::unique_ptr<sqlite_journal> writing_to(std::filesystem::path const& d) {
    auto file = sqlite_journal::open(d, [] { return now; });
    REQUIRE(file.has_value());
    return std::move(*file);
}

struct rig {
    test::directory directory;
    control thread;
    std::vector<std::string> answers;
    journal_writer writer{writing_to(directory.path()), [this](std::function<void()> f) { thread.post(std::move(f)); }};

    void write(std::string const& name, jit::journal_record what) {
        writer.write(std::move(what), [this, name, me = std::this_thread::get_id()](result<void> const& done) {
            CHECK(std::this_thread::get_id() == me);
            answers.push_back(name + (done ? "" : " " + std::string(name_of(done.error().code))));
        });
    }
    void run_until(std::size_t answered) {
        thread.run_until([&] { return answers.size() >= answered; });
    }
};

}  // namespace

TEST_CASE("records are written in order and answered in order, on the thread of those who gave them") {
    rig r;
    r.write("opening", records::task_opening{"ses_1", now});
    CHECK(r.answers.empty());  // never from within the call
    r.write("opened", records::task_opened{"ses_1", {"tsk_1", now + seconds{60}}});
    r.write("again", records::task_opening{"ses_1", now});
    r.write("asking", records::permission_asking{"ses_1", "need", now});
    r.write("settled", records::permission_settled{"ses_1", "need", "req_1", "granted", now});
    r.write("other", records::task_opening{"ses_2", now});
    r.run_until(6);
    CHECK(r.answers == std::vector<std::string>{"opening", "opened", "again internal", "asking", "settled", "other"});
    auto const left = r.writer.left_open();
    REQUIRE(left.has_value());
    REQUIRE(left->size() == 2);
    CHECK(left->front().task_id == "tsk_1");
}

TEST_CASE("what comes up while it writes is written together") {
    rig r;
    std::promise<void> block;
    std::promise<void> blocked;
    // The first outcome holds up the writer's thread, as a slow disk would.
    journal_writer slow{writing_to(r.directory.path() / "slow"), [&, first = true](std::function<void()> f) mutable {
                            if (std::exchange(first, false)) {
                                blocked.set_value();
                                block.get_future().wait();
                            }
                            r.thread.post(std::move(f));
                        }};
    int answered = 0;
    auto const count = [&](result<void> const& done) {
        CHECK(done.has_value());
        ++answered;
    };
    slow.write(records::task_opening{"ses_0", now}, count);
    blocked.get_future().wait();
    for (int i = 1; i <= 100; ++i) slow.write(records::task_opening{"ses_" + std::to_string(i), now}, count);
    block.set_value();
    r.thread.run_until([&] { return answered == 101; });
    CHECK(r.thread.runs == 2);
}

TEST_CASE("stopping writes what was given, and gives the directory free") {
    test::directory d;
    int told = 0;
    {
        journal_writer writer{writing_to(d.path()), [&](std::function<void()> const&) { ++told; }};
        for (int i = 0; i < 500; ++i) writer.write(records::task_opening{"ses_" + std::to_string(i), now}, nullptr);
        writer.stop();
        auto const next = writing_to(d.path());
        CHECK(next->left_open()->size() == 500);
        writer.write(records::task_opening{"ses_late", now}, [](result<void> const&) { FAIL("answered"); });
        writer.stop();  // once more does nothing
        CHECK(next->left_open()->size() == 500);
    }
    CHECK(told >= 1);
}

TEST_CASE("many threads' worth of writing loses nothing") {
    test::directory d;
    std::atomic<int> answered = 0;
    {
        journal_writer writer{writing_to(d.path()), [&](std::function<void()> const& f) { f(); }};
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&, t] {
                for (int i = 0; i < 100; ++i) {
                    auto const id = "ses_" + std::to_string(t) + "_" + std::to_string(i);
                    writer.write(records::task_opening{id, now}, [&](result<void> const& r) { answered += r ? 1 : 0; });
                    writer.write(records::task_opened{id, {"tsk", {}}},
                                 [&](result<void> const& r) { answered += r ? 1 : 0; });
                    if (i % 2 == 0)
                        writer.write(records::task_closed{id}, [&](result<void> const& r) { answered += r ? 1 : 0; });
                }
            });
        for (auto& t : threads) t.join();
    }
    CHECK(answered == 4 * 250);
    CHECK(writing_to(d.path())->left_open()->size() == 200);
}
