#include "actors/workers/pool.hpp"

#include <utility>

namespace banger::work {

pool::pool(unsigned threads) {
  for (unsigned i = 0; i < threads; ++i)
    threads_.emplace_back([this] { serve(); });
}

pool::~pool() {
  {
    const std::lock_guard hold(lock_);
    closing_ = true;
  }
  more_.notify_all();
  for (auto& thread : threads_)
    thread.join();
}

void pool::submit(task t) {
  {
    const std::lock_guard hold(lock_);
    waiting_.push_back(std::move(t));
  }
  more_.notify_one();
}

void pool::serve() {
  for (;;) {
    task next;
    {
      std::unique_lock hold(lock_);
      more_.wait(hold, [this] { return closing_ || !waiting_.empty(); });
      if (waiting_.empty())
        return;
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    next();
  }
}

} // namespace banger::work
