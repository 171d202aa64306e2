// Asio's own code for TLS, compiled once for the whole program (ASIO_SEPARATE_COMPILATION).
#include <asio/ssl/impl/src.hpp>
