// Asio's TLS, for the files that speak it: OpenSSL's headers go no further. After base/asio.h, as
// everything of Asio (the allocator of a coroutine frame depends on the order).
#pragma once

#include "base/asio.h"
// then
#include <asio/ssl.hpp>
