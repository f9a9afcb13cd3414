//! Feature `tokio`: the same ends for async programs.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::{
    fs,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use futures_util::{SinkExt, StreamExt, future::join_all};
use mp::{RecvError, SendError};
use multiprocess as mp;
use tokio::{task, time};

/// Nothing here may take this long, on any machine.
const WATCHDOG: Duration = Duration::from_secs(180);

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    time::timeout(WATCHDOG, future).await.unwrap()
}

#[mp::process_target]
fn echo(messages: mp::Connection<Vec<u8>, Vec<u8>>) -> mp::Result<usize> {
    let mut count = 0;
    for message in &messages {
        messages.send(&message?)?;
        count += 1;
    }
    Ok(count)
}

#[mp::process_target]
fn wait_for_ever() {
    loop {
        std::thread::park();
    }
}

#[mp::process_target]
fn increment(x: u64) -> u64 {
    x + 1
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

fn fds() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[tokio::test]
async fn messages_of_every_size_there_and_back() -> mp::Result<()> {
    let (ours, theirs) = mp::pipe()?;
    let child = mp::spawn(echo, (theirs,))?;
    let ours = ours.into_async()?;
    for size in [0, 1, 60_000, 70_000, 20 << 20] {
        let message = vec![7; size];
        in_time(ours.send(&message)).await?;
        assert!(in_time(ours.recv()).await? == message);
    }
    let ours = ours.into_blocking();
    ours.send(&vec![1])?;
    assert_eq!(ours.recv()?, [1]);
    drop(ours);
    assert_eq!(in_time(child.join_async()).await??, 6);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_at_one_end() -> mp::Result<()> {
    let (sender, receiver) = mp::channel::<u64>()?;
    let (sender, receiver) = (Arc::new(sender.into_async()?), Arc::new(receiver.into_async()?));
    let receivers = (0..5).map(|_| {
        let receiver = receiver.clone();
        task::spawn(async move {
            let mut sum = 0;
            loop {
                match receiver.recv().await {
                    Ok(number) => sum += number,
                    Err(RecvError::Disconnected) => return sum,
                    Err(error) => panic!("{error}"),
                }
            }
        })
    });
    let receivers: Vec<_> = receivers.collect();
    let senders = (0..5).map(|_| {
        let sender = sender.clone();
        task::spawn(async move {
            for number in 0..4_000 {
                sender.send(&number).await.unwrap();
            }
        })
    });
    in_time(join_all(senders)).await.into_iter().for_each(|sender| sender.unwrap());
    drop(sender);
    let sums = in_time(join_all(receivers)).await;
    assert_eq!(sums.into_iter().map(Result::unwrap).sum::<u64>(), 5 * (0..4_000).sum::<u64>());
    Ok(())
}

#[tokio::test]
async fn a_receive_that_is_dropped_takes_nothing() -> mp::Result<()> {
    let (sender, receiver) = mp::channel::<u32>()?;
    let receiver = receiver.into_async()?;
    let feeder = std::thread::spawn(move || (0..20_000).for_each(|number| sender.send(&number).unwrap()));
    let mut received = Vec::new();
    let mut dropped = 0;
    while received.len() < 20_000 {
        // Polled a few times at most, then dropped.
        let patience = received.len() % 3;
        let mut future = pin!(receiver.recv());
        let mut polls = 0;
        let polled = poll_fn(|context| {
            polls += 1;
            match future.as_mut().poll(context) {
                Poll::Ready(message) => Poll::Ready(Some(message)),
                Poll::Pending if polls > patience => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        });
        match polled.await {
            Some(message) => received.push(message?),
            None => {
                dropped += 1;
                task::yield_now().await;
            }
        }
    }
    feeder.join().unwrap();
    assert!(received.into_iter().eq(0..20_000), "all of them, each once, in order");
    assert!(dropped > 0);
    Ok(())
}

#[tokio::test]
async fn a_send_that_is_dropped_sends_nothing() -> mp::Result<()> {
    let (sender, receiver) = mp::channel::<(u32, Vec<u8>)>()?;
    let sender = sender.into_async()?;
    let reader = std::thread::spawn(move || receiver.iter().map(|message| message.unwrap().0).collect::<Vec<_>>());
    let mut sent = Vec::new();
    let mut dropped = 0;
    for number in 0..5_000 {
        let message = (number, vec![0; 5_000]);
        let mut future = pin!(sender.send(&message));
        let mut polls = 0;
        let result = poll_fn(|context| {
            polls += 1;
            match future.as_mut().poll(context) {
                Poll::Ready(result) => Poll::Ready(Some(result)),
                Poll::Pending if polls > 1 || number % 2 == 0 => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        });
        match result.await {
            Some(result) => sent.push(result.map(|()| number)?),
            None => dropped += 1,
        }
    }
    drop(sender);
    assert_eq!(reader.join().unwrap(), sent);
    assert!(dropped > 0);
    Ok(())
}

#[tokio::test]
async fn streams_and_sinks() -> mp::Result<()> {
    let (ours, theirs) = mp::pipe()?;
    let child = mp::spawn(echo, (theirs,))?;
    let (mut sender, receiver) = ours.into_async()?.into_split();
    let feed = async {
        for number in 0..2_000_u32 {
            sender.feed(number.to_le_bytes().to_vec()).await?;
        }
        sender.close().await?;
        Ok::<_, SendError>(sender)
    };
    let read = receiver.take(2_000).map(Result::unwrap).collect::<Vec<_>>();
    let (fed, read) = in_time(async { tokio::join!(feed, read) }).await;
    assert!(read.into_iter().eq((0..2_000_u32).map(|number| number.to_le_bytes().to_vec())));
    drop(fed?);
    assert_eq!(in_time(child.join_async()).await??, 2_000);

    // A stream ends where the iterator ends, and skips no error.
    let (sender, receiver) = mp::channel::<u8>()?;
    sender.send(&1)?;
    sender.send_bytes(b"what is this")?;
    sender.send(&2)?;
    drop(sender);
    let seen: Vec<_> = in_time(receiver.into_async()?.map(|message| message.ok()).collect()).await;
    assert_eq!(seen, [Some(1), None, Some(2)]);
    Ok(())
}

#[tokio::test]
async fn a_sink_that_was_not_asked_loses_nothing() -> mp::Result<()> {
    let (sender, receiver) = mp::channel::<Vec<u8>>()?;
    let mut sender = sender.into_async()?;
    let mut sent = 0;
    // Without `poll_ready`, until there is no room.
    while sent < 1_000 && sender.start_send_unpin(vec![0; 50_000]).is_ok() {
        sent += 1;
    }
    assert!((2..1_000).contains(&sent));
    let receiver = receiver.into_async()?;
    let (flushed, received) = in_time(async { tokio::join!(sender.flush(), receiver.take(sent).count()) }).await;
    flushed?;
    assert_eq!(received, sent);
    Ok(())
}

#[tokio::test]
async fn an_end_that_is_always_ready_lets_others_have_their_turn() -> mp::Result<()> {
    let (sender, receiver) = mp::channel::<u8>()?;
    while sender.try_send(&1).is_ok() {} // some 280
    let (receiver, ran) = (receiver.into_async()?, Arc::new(AtomicBool::new(false)));
    receiver.recv().await?; // the first one waits for the runtime
    let other = ran.clone();
    task::spawn(async move { other.store(true, Ordering::Relaxed) });
    for _ in 0..200 {
        receiver.recv().await?;
    }
    assert!(ran.load(Ordering::Relaxed));
    Ok(())
}

#[tokio::test]
async fn bytes_and_errors() -> mp::Result<()> {
    let (sender, receiver) = mp::channel::<u8>()?;
    let (sender, receiver) = (sender.into_async()?, receiver.into_async()?);
    in_time(sender.send_bytes(&[5; 100_000])).await?;
    assert!(in_time(receiver.recv_bytes()).await? == [5; 100_000]);
    in_time(sender.send(&1)).await?;
    assert!(matches!(in_time(receiver.recv_bytes()).await, Err(RecvError::Undecodable(_))));
    time::timeout(Duration::from_millis(20), receiver.recv()).await.unwrap_err();
    drop(receiver);
    assert!(matches!(in_time(sender.send(&1)).await, Err(SendError::Disconnected)));
    Ok(())
}

#[test]
fn outside_of_a_runtime_is_an_error() -> mp::Result<()> {
    let (sender, receiver) = mp::channel::<u8>()?;
    let error = receiver.into_async().unwrap_err();
    assert!(error.to_string().contains("runtime"), "{error}");
    let error = sender.into_async().unwrap_err();
    assert!(error.to_string().contains("runtime"), "{error}");
    let child = mp::spawn(increment, (1,))?;
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let Poll::Ready(Err(mp::JoinError::Wait(..))) = pin!(child.join_async()).poll(&mut context) else {
        panic!("not an error")
    };
    assert_eq!(child.join()?, 2);
    Ok(())
}

#[mp::process_target]
fn waits(for_end: mp::Receiver<()>, number: u64) -> u64 {
    for_end.recv().unwrap_err();
    number
}

/// Counts what a process owns, so it is one of its own.
#[tokio::main(flavor = "current_thread")]
#[mp::process_target]
async fn joins_many() -> usize {
    let (sender, receiver) = mp::channel::<()>().unwrap();
    let children: Vec<_> = (0..20).map(|number| mp::spawn(waits, (receiver.clone(), number)).unwrap()).collect();
    let before = threads();
    let mut joins = pin!(join_all(children.iter().map(mp::Process::join_async)));
    assert!(poll_fn(|context| Poll::Ready(joins.as_mut().poll(context))).await.is_pending());
    let waiting = threads();
    drop(sender);
    let numbers: Result<Vec<_>, _> = in_time(joins).await.into_iter().collect();
    assert!(numbers.unwrap().into_iter().eq(0..20));
    waiting - before
}

#[tokio::test]
async fn processes_are_joined_without_a_thread_each() -> mp::Result<()> {
    assert_eq!(in_time(mp::spawn(joins_many, ())?.join_async()).await?, 0);
    Ok(())
}

/// As above.
#[tokio::main(flavor = "current_thread")]
#[mp::process_target]
async fn gives_up_joining(child: mp::Receiver<()>) -> (usize, usize) {
    let waiting = mp::spawn(waits, (child, 1)).unwrap();
    let before = fds();
    for _ in 0..10 {
        time::timeout(Duration::from_millis(1), waiting.join_async()).await.unwrap_err();
    }
    waiting.kill().unwrap();
    (before, fds())
}

#[tokio::test]
async fn a_join_that_is_dropped_leaves_nothing() -> mp::Result<()> {
    let (_sender, receiver) = mp::channel::<()>()?;
    let (before, after) = in_time(mp::spawn(gives_up_joining, (receiver,))?.join_async()).await?;
    assert_eq!(before, after);
    Ok(())
}

#[tokio::test]
async fn a_join_that_is_dropped_takes_nothing() -> mp::Result<()> {
    let child = mp::spawn(wait_for_ever, ())?;
    time::timeout(Duration::from_millis(1), child.join_async()).await.unwrap_err();
    child.kill()?;
    // Any number of tasks, the same answer, and the blocking one too.
    let (one, other) = in_time(async { tokio::join!(child.join_async(), child.join_async()) }).await;
    assert!(matches!(one, Err(mp::JoinError::Killed(_))) && matches!(other, Err(mp::JoinError::Killed(_))));
    assert!(matches!(child.join(), Err(mp::JoinError::Killed(_))));
    let child = mp::spawn(increment, (1,))?;
    assert_eq!(in_time(child.join_async()).await?, 2);
    assert_eq!(in_time(child.join_async()).await?, 2);
    Ok(())
}

#[tokio::test]
async fn futures_may_go_to_other_threads() {
    fn check<T: Send>(_: &T) {}
    let (ours, theirs) = mp::pipe::<std::cell::Cell<u8>, u8>().unwrap();
    drop(theirs);
    let ours = ours.into_async().unwrap();
    let value = std::cell::Cell::new(1);
    check(&ours.send(&value));
    check(&ours.recv());
    let child = mp::spawn(increment, (1,)).unwrap();
    check(&child.join_async());
    drop(ours.send(&value));
    assert_eq!(child.join().unwrap(), 2);
}

#[mp::process_target]
fn double(numbers: mp::QueueReceiver<u64>, doubled: mp::QueueSender<u64>) -> mp::Result<()> {
    numbers.iter().try_for_each(|number| Ok(doubled.put(&(2 * number?))?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_are_awaited_on_both_sides() -> mp::Result<()> {
    let (to, numbers) = mp::Queue::bounded(3)?.split();
    let (doubled, from) = mp::Queue::bounded(3)?.split();
    let children: Vec<_> =
        (0..2).map(|_| mp::spawn(double, (numbers.clone(), doubled.clone()))).collect::<Result<_, _>>()?;
    drop((numbers, doubled));
    let (to, from) = (to.into_async()?, from.into_async()?);
    let puts = async {
        for number in 0..20_000_u64 {
            to.put(&number).await.unwrap();
        }
        drop(to);
    };
    let gets = async {
        let results: Vec<_> = from.collect().await;
        results.into_iter().sum::<Result<u64, RecvError>>().unwrap()
    };
    let ((), sum) = in_time(async { tokio::join!(puts, gets) }).await;
    assert_eq!(sum, 20_000 * 19_999);
    for child in children {
        child.join_async().await??;
    }
    Ok(())
}

/// Others take items from under a task that waits, all the time: none is missed, and it never sleeps beside one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_and_a_thread_get_from_one_queue() -> mp::Result<()> {
    let (to, from) = mp::Queue::<u64>::unbounded()?.split();
    let taken = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let thief = {
        let (from, taken) = (from.clone(), Arc::clone(&taken));
        std::thread::spawn(move || {
            for number in from.iter() {
                taken.fetch_add(number.unwrap(), Ordering::Relaxed);
            }
        })
    };
    let from = from.into_async()?;
    let putter = std::thread::spawn(move || {
        for number in 1..=50_000 {
            to.put(&number).unwrap();
        }
    });
    let mut sum = 0;
    in_time(async {
        loop {
            match from.get().await {
                Ok(number) => sum += number,
                Err(RecvError::Disconnected) => break,
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await;
    putter.join().unwrap();
    thief.join().unwrap();
    assert_eq!(sum + taken.load(Ordering::Relaxed), 50_000 * 50_001 / 2);
    Ok(())
}

#[tokio::test]
async fn a_put_that_is_dropped_has_put_nothing_and_an_end_is_seen() -> mp::Result<()> {
    let queue = mp::Queue::bounded(1)?;
    queue.put(&1)?;
    let (to, from) = queue.split();
    let to = to.into_async()?;
    assert!(time::timeout(Duration::from_millis(20), to.put(&2)).await.is_err());
    assert_eq!(from.get()?, 1);
    assert!(matches!(from.try_get(), Err(RecvError::TimedOut)));
    in_time(to.put(&3)).await?;
    assert_eq!(from.get()?, 3);
    drop(from);
    // Another test's child may have a copy of it, until it executes its program: one may go in.
    let ended = in_time(async {
        loop {
            if let Err(error) = to.put(&4).await {
                break error;
            }
        }
    });
    assert!(matches!(ended.await, SendError::Disconnected));
    Ok(())
}

/// Each of them is woken, though all wait for one descriptor.
#[tokio::test]
async fn many_tasks_at_one_side_of_a_queue() -> mp::Result<()> {
    let (to, from) = mp::Queue::bounded(1)?.split();
    let from = Arc::new(from.into_async()?);
    let getters: Vec<_> = (0..4)
        .map(|_| {
            let from = Arc::clone(&from);
            task::spawn(async move { from.get().await })
        })
        .collect();
    task::yield_now().await;
    let to = Arc::new(to.into_async()?);
    let putters: Vec<_> = (0..4_u32)
        .map(|number| {
            let to = Arc::clone(&to);
            task::spawn(async move { to.put(&number).await })
        })
        .collect();
    in_time(async {
        for putter in putters {
            putter.await.unwrap().unwrap();
        }
        let mut all = Vec::new();
        for getter in getters {
            all.push(getter.await.unwrap().unwrap());
        }
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3]);
    })
    .await;
    Ok(())
}
