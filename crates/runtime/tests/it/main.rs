//! The runtime over real sockets: against files, a FastCGI application that misbehaves, and
//! php-fpm itself.

#[cfg(test)]
mod php_exchange;
#[cfg(test)]
mod php_fpm;
#[cfg(test)]
mod static_files;
#[cfg(test)]
mod support;
