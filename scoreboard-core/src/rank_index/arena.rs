//! Numbered items that grow by chunks: a new item never moves the ones that are there.

/// Items by number. `SHIFT` says how many make a chunk: 2^SHIFT.
#[derive(Debug)]
pub(super) struct Arena<T, const SHIFT: u32> {
    chunks: Vec<Vec<T>>,
    free: Vec<u32>,
}

impl<T, const SHIFT: u32> Default for Arena<T, SHIFT> {
    fn default() -> Self {
        Self { chunks: Vec::new(), free: Vec::new() }
    }
}

impl<T, const SHIFT: u32> Arena<T, SHIFT> {
    const CHUNK: usize = 1 << SHIFT;

    #[inline]
    pub(super) fn get(&self, number: u32) -> &T {
        let number = number as usize;
        &self.chunks[number >> SHIFT][number & (Self::CHUNK - 1)]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, number: u32) -> &mut T {
        let number = number as usize;
        &mut self.chunks[number >> SHIFT][number & (Self::CHUNK - 1)]
    }

    /// Keeps an item, in the place of one that was freed if there is one.
    pub(super) fn add(&mut self, item: T) -> u32 {
        if let Some(number) = self.free.pop() {
            *self.get_mut(number) = item;
            return number;
        }
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < Self::CHUNK => chunk.push(item),
            // The first chunk grows as it is needed, so that a small board costs little.
            None => self.chunks.push(vec![item]),
            Some(_) => {
                let mut chunk = Vec::with_capacity(Self::CHUNK);
                chunk.push(item);
                self.chunks.push(chunk);
            }
        }
        let number = (self.chunks.len() - 1) * Self::CHUNK + self.chunks[self.chunks.len() - 1].len() - 1;
        u32::try_from(number).expect("an index is bounded far below 2^32 users")
    }

    /// Gives a number free for another item.
    pub(super) fn free(&mut self, number: u32) {
        self.free.push(number);
    }

    /// How many items are in use.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn len(&self) -> usize {
        self.chunks.iter().map(Vec::len).sum::<usize>() - self.free.len()
    }

    /// What it has allocated.
    pub(super) fn bytes(&self) -> usize {
        let items: usize = self.chunks.iter().map(|chunk| chunk.capacity() * size_of::<T>()).sum();
        items + self.chunks.capacity() * size_of::<Vec<T>>() + self.free.capacity() * size_of::<u32>()
    }
}
