//! A request to PHP: what it is told ([`params`]), how its answer is waited for and held back
//! ([`run`]), how a long answer goes on ([`body`]), and work after it ([`work`]).

pub mod body;
pub mod params;
pub mod run;
pub mod stderr;
pub mod work;
