// Two connections that are each other's peer, in memory: what one writes, the other reads. For
// tests of everything above a transport, and for a server and a client in one process.
//
// One executor for both. The halves may be destroyed in any order, after their reads and writes
// have ended; a destroyed half counts as closed.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "rpc/connection.h"

namespace mahavishnu::net {

// `max_queued_bytes` bounds each direction: past it `write` waits for the other side to read.
std::pair<std::unique_ptr<rpc::Connection>, std::unique_ptr<rpc::Connection>> memory_pair(
    asio::any_io_executor executor, std::size_t max_queued_bytes = 1u << 20);

}  // namespace mahavishnu::net
