//! The promises of the queue, on a paused clock.

use super::*;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;

const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(8) };

struct Bench {
    queue: Arc<WorkQueue<u32>>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Bench {
    fn start<H, F>(workers: usize, handler: H) -> Self
    where
        H: Fn(u32) -> F + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        let queue = Arc::new(WorkQueue::new(BACKOFF));
        let stop = CancellationToken::new();
        let task = tokio::spawn(Arc::clone(&queue).run(workers, stop.clone(), handler));
        Self { queue, stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_wish_during_a_run_is_honoured_by_another_run() {
    let (begun, mut began) = mpsc::channel(8);
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let inner = Arc::clone(&gate);
    let bench = Bench::start(4, move |key| {
        let (begun, gate) = (begun.clone(), Arc::clone(&inner));
        async move {
            begun.send(key).await.unwrap();
            gate.acquire().await.unwrap().forget();
            Outcome::Done
        }
    });
    bench.queue.add(1);
    assert_eq!(began.recv().await, Some(1));
    // Ten wishes while it runs are one more run, and not before this one ended.
    for _ in 0..10 {
        bench.queue.add(1);
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(began.try_recv().is_err());
    gate.add_permits(1);
    assert_eq!(began.recv().await, Some(1));
    gate.add_permits(1);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(began.try_recv().is_err());
    assert!(bench.queue.is_empty());
    bench.end().await;
}

#[tokio::test(start_paused = true)]
async fn failures_back_off_and_a_wish_goes_first() {
    let runs = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&runs);
    let begin = Instant::now();
    let bench = Bench::start(1, move |_| {
        seen.lock().unwrap().push(begin.elapsed().as_secs());
        async { Outcome::Retry }
    });
    bench.queue.add(1);
    tokio::time::sleep(Duration::from_millis(16_500)).await;
    assert_eq!(*runs.lock().unwrap(), [0, 1, 3, 7, 15]);
    bench.queue.add(1);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(*runs.lock().unwrap(), [0, 1, 3, 7, 15, 16]);
    bench.end().await;
}

#[tokio::test(start_paused = true)]
async fn workers_are_bounded_and_keys_run_beside_each_other() {
    let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (n, m) = (Arc::clone(&now), Arc::clone(&most));
    let bench = Bench::start(3, move |_| {
        let (n, m) = (Arc::clone(&n), Arc::clone(&m));
        async move {
            let running = n.fetch_add(1, Ordering::SeqCst) + 1;
            m.fetch_max(running, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
            n.fetch_sub(1, Ordering::SeqCst);
            Outcome::Done
        }
    });
    (0..10).for_each(|key| bench.queue.add(key));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(most.load(Ordering::SeqCst), 3);
    assert!(bench.queue.is_empty());
    bench.end().await;
}

#[tokio::test(start_paused = true)]
async fn after_comes_back_by_itself() {
    let runs = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&runs);
    let bench = Bench::start(1, move |_| {
        seen.fetch_add(1, Ordering::SeqCst);
        async { Outcome::After(Duration::from_secs(10)) }
    });
    bench.queue.add(1);
    tokio::time::sleep(Duration::from_secs(35)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 4);
    bench.end().await;
}
