import { createLocalBackend, MemoryBackend } from '../../dist/backends/index.js';
import { conformance } from './conformance.js';

conformance('local disk', createLocalBackend);
conformance('memory', async () => new MemoryBackend());
