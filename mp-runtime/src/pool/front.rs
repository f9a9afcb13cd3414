//! The typed methods of executors, as methods of their own: so that nobody need name a trait to use a pool.

/// Writes the methods of [`Tasks`](super::Tasks) for an executor with its own options.
macro_rules! typed_methods {
    ($executor:ty, $state:ident) => { typed_methods! { @ (impl<$state: 'static>) $executor, $state } };
    ($executor:ty) => { typed_methods! { @ (impl) $executor, () } };
    (@ ($($head:tt)*) $executor:ty, $state:ty) => {
        $($head)* $executor {
            /// Runs `target` with `args` in a worker, and waits for the result: [`Tasks::call`](crate::Tasks::call).
            ///
            /// # Errors
            ///
            /// Why there is none: see [`TaskError`](crate::TaskError).
            pub fn call<F: crate::WorkerTarget<$state>>(
                &self,
                target: F,
                args: F::Args,
            ) -> Result<F::Output, crate::TaskError> {
                crate::Tasks::on(self).call(target, args)
            }

            /// Has `target` run with `args`: [`Tasks::submit`](crate::Tasks::submit).
            ///
            /// # Errors
            ///
            /// An argument does not encode, or no more work is taken.
            pub fn submit<F: crate::WorkerTarget<$state>>(
                &self,
                target: F,
                args: F::Args,
            ) -> crate::Result<crate::Task<F::Output>> {
                crate::Tasks::on(self).submit(target, args)
            }

            /// [`submit`](Self::submit) without waiting for room: [`Tasks::try_submit`](crate::Tasks::try_submit).
            ///
            /// # Errors
            ///
            /// As [`submit`](Self::submit), or that there is no room.
            pub fn try_submit<F: crate::WorkerTarget<$state>>(
                &self,
                target: F,
                args: F::Args,
            ) -> Result<crate::Task<F::Output>, crate::TrySubmitError<F::Args>> {
                crate::Tasks::on(self).try_submit(target, args)
            }

            /// Runs `target` with each item, and returns the results in their order: [`Tasks::map`](crate::Tasks::map).
            ///
            /// # Errors
            ///
            /// The first error in the order of the items, after all are settled.
            pub fn map<F, A, I>(&self, target: F, items: I) -> Result<Vec<F::Output>, crate::TaskError>
            where
                F: crate::WorkerTarget<$state, Args = (A,)>,
                I: IntoIterator<Item = A>,
            {
                crate::Tasks::on(self).map(target, items)
            }

            /// [`map`](Self::map) for targets of several arguments: [`Tasks::starmap`](crate::Tasks::starmap).
            ///
            /// # Errors
            ///
            /// As [`map`](Self::map).
            pub fn starmap<F, I>(&self, target: F, items: I) -> Result<Vec<F::Output>, crate::TaskError>
            where
                F: crate::WorkerTarget<$state>,
                I: IntoIterator<Item = F::Args>,
            {
                crate::Tasks::on(self).starmap(target, items)
            }

            /// Runs `target` with each item, for what it does there: [`Tasks::for_each`](crate::Tasks::for_each).
            ///
            /// # Errors
            ///
            /// As [`map`](Self::map).
            pub fn for_each<F, A, I>(&self, target: F, items: I) -> Result<(), crate::TaskError>
            where
                F: crate::WorkerTarget<$state, Args = (A,), Output = ()>,
                I: IntoIterator<Item = A>,
            {
                crate::Tasks::on(self).for_each(target, items)
            }

            /// An iterator of the results in the order of the items: [`Tasks::imap`](crate::Tasks::imap).
            pub fn imap<F, A, I>(
                &self,
                target: F,
                items: I,
            ) -> crate::Imap<'_, Self, F, crate::pool::Singly<I::IntoIter>>
            where
                F: crate::WorkerTarget<$state, Args = (A,)>,
                I: IntoIterator<Item = A>,
            {
                crate::Tasks::on(self).imap(target, items)
            }

            /// An iterator of the results as they come: [`Tasks::imap_unordered`](crate::Tasks::imap_unordered).
            pub fn imap_unordered<F, A, I>(
                &self,
                target: F,
                items: I,
            ) -> crate::Imap<'_, Self, F, crate::pool::Singly<I::IntoIter>>
            where
                F: crate::WorkerTarget<$state, Args = (A,)>,
                I: IntoIterator<Item = A>,
            {
                crate::Tasks::on(self).imap_unordered(target, items)
            }

            /// [`imap`](Self::imap) for targets of several arguments: [`Tasks::istarmap`](crate::Tasks::istarmap).
            pub fn istarmap<F, I>(&self, target: F, items: I) -> crate::Imap<'_, Self, F, I::IntoIter>
            where
                F: crate::WorkerTarget<$state>,
                I: IntoIterator<Item = F::Args>,
            {
                crate::Tasks::on(self).istarmap(target, items)
            }

            /// [`imap_unordered`](Self::imap_unordered) for targets of several arguments:
            /// [`Tasks::istarmap_unordered`](crate::Tasks::istarmap_unordered).
            pub fn istarmap_unordered<F, I>(&self, target: F, items: I) -> crate::Imap<'_, Self, F, I::IntoIter>
            where
                F: crate::WorkerTarget<$state>,
                I: IntoIterator<Item = F::Args>,
            {
                crate::Tasks::on(self).istarmap_unordered(target, items)
            }
        }
    };
}

pub(super) use typed_methods;
