// A few threads for work that blocks: files, child processes. Actors never wait for it: the answer
// comes back as a `thunk`, which the actor that asked runs in its own time.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace banger::work {

class pool {
public:
  using task = std::function<void()>;

  explicit pool(unsigned threads);
  ~pool(); ///< finishes what was begun and what waits
  pool(const pool&) = delete;
  pool& operator=(const pool&) = delete;

  void submit(task t);

private:
  void serve();

  // The one queue between the actors' threads and these; the lock is held for a push or a pop.
  std::mutex lock_;
  std::condition_variable more_;
  std::deque<task> waiting_;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

} // namespace banger::work
