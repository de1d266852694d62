// A lazy coroutine that runs on its caller's thread and resumes its caller when it ends. Awaiting it is the only way to
// run it, but for the outermost one, which its owner starts. Destroying a suspended task destroys all that it awaits.
#pragma once
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "jitproxy/net/frame_store.hpp"

namespace jitproxy::net {

template <class T>
class task;

namespace detail {

struct promise_base {
    std::coroutine_handle<> caller;
    std::exception_ptr failure;

    struct final_awaiter {
        bool await_ready() const noexcept { return false; }
        template <class Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
            auto caller = self.promise().caller;
            return caller ? caller : std::noop_coroutine();
        }
        void await_resume() const noexcept {}
    };
    static void* operator new(std::size_t size) { return frame_store::take(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { frame_store::give(frame, size); }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    final_awaiter final_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept { failure = std::current_exception(); }
};

template <class T>
struct promise : promise_base {
    std::optional<T> value;
    task<T> get_return_object() noexcept;
    template <class U>
    void return_value(U&& v) {
        value.emplace(std::forward<U>(v));
    }
    T take() {
        if (failure) std::rethrow_exception(failure);
        return std::move(*value);
    }
};

template <>
struct promise<void> : promise_base {
    task<void> get_return_object() noexcept;
    void return_void() const noexcept {}
    void take() const {
        if (failure) std::rethrow_exception(failure);
    }
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] task {
  public:
    using promise_type = detail::promise<T>;
    using handle = std::coroutine_handle<promise_type>;

    task() = default;
    explicit task(handle h) noexcept : handle_(h) {}
    task(task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    task& operator=(task&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~task() {
        if (handle_) handle_.destroy();
    }

    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) noexcept {
        handle_.promise().caller = caller;
        return handle_;
    }
    T await_resume() { return handle_.promise().take(); }

    // The outermost task: runs until its first suspension. Its owner keeps it alive and learns of its end from done().
    void start() { handle_.resume(); }
    [[nodiscard]] bool done() const noexcept { return !handle_ || handle_.done(); }

  private:
    handle handle_;
};

template <class T>
task<T> detail::promise<T>::get_return_object() noexcept {
    return task<T>(std::coroutine_handle<promise<T>>::from_promise(*this));
}
inline task<void> detail::promise<void>::get_return_object() noexcept {
    return task<void>(std::coroutine_handle<promise<void>>::from_promise(*this));
}

}  // namespace jitproxy::net
