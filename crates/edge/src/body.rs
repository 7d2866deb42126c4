//! The body of what the edge answers: nothing, a page of its own, or what a gateway sends.

use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;

use crate::context::RequestContext;
use crate::upstream::answer::Answer;

/// Why a body breaks off. The visitor's connection breaks with it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the gateway's answer broke off: {0}")]
    Upstream(hyper::Error),
    #[error("the gateway paused for too long within its answer")]
    Idle,
}

pub(crate) enum Content {
    Empty,
    Page(Bytes),
    Answer(Box<Answer>),
}

/// A body, and the context of its request, which is logged when the body is gone.
pub(crate) struct EdgeBody {
    content: Content,
    context: RequestContext,
}

impl EdgeBody {
    pub(crate) fn new(content: Content, mut context: RequestContext) -> Self {
        if content.is_end_stream() {
            context.complete();
        }
        Self { content, context }
    }
}

impl Content {
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Page(page) => page.is_empty(),
            Self::Answer(answer) => answer.is_end_stream(),
        }
    }
}

impl Body for EdgeBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let polled = match &mut this.content {
            Content::Empty => Poll::Ready(None),
            Content::Page(page) => {
                let page = std::mem::take(page);
                Poll::Ready((!page.is_empty()).then(|| Ok(Frame::data(page))))
            }
            Content::Answer(answer) => answer.poll_part(cx),
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    this.context.sent(data.len());
                }
                if this.content.is_end_stream() {
                    this.context.complete();
                }
            }
            Poll::Ready(Some(Err(error))) => this.context.broke(error),
            Poll::Ready(None) => this.context.complete(),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Page(page) => SizeHint::with_exact(page.len() as u64),
            Content::Answer(answer) => answer.size_hint(),
        }
    }
}
